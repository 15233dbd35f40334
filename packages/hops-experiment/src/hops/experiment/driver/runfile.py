"""The run's own files: its directory, its record, its summary."""

import itertools
import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hops.core import environment
from hops.experiment import record
from hops.experiment.driver.plan import Plan
from hops.experiment.record import Outcome, State
from hops.experiment.versions import versions

if TYPE_CHECKING:
    from hops.experiment.driver.agents import Engine
    from hops.hdfs.paths import Place
    from hops.hdfs.store import Store
    from hops.project import Project


class RunFiles:
    """Writes what is known of the run, at its begin and at its end."""

    def __init__(self, store: "Store", project: "Project", plan: Plan, engine: "Engine") -> None:
        """Claim a directory for the run, and write down what is to be done.

        Raises:
            OSError: The project cannot be written.
        """
        self._store = store
        self._plan = plan
        space = record.plain(plan.space)  # first: any object's own str() may fail
        self.run_id = _claim(store, engine.application)
        self.directory = record.run_directory(self.run_id)
        self.resources: list[str] = []
        """Names of the versioned resources in the directory."""
        self._begin = time.time()
        self._facts: dict[str, Any] = {
            "format": record.FORMAT,
            "id": self.run_id,
            "appId": engine.application,
            "projectName": project.name,
            "user": project.user,
            "name": _name(plan.name),
            "description": plan.description,
            "experimentType": plan.kind,
            "function": getattr(plan.function, "__name__", type(plan.function).__name__),
            "direction": plan.direction,
            "optimizationKey": plan.optimised_key,
            "space": space,
            "jobName": os.environ.get(environment.HOPSWORKS_JOB_NAME),
            "kernelId": os.environ.get(environment.HOPSWORKS_KERNEL_ID),
            "created": int(self._begin * 1000),
            "engine": engine.name,
            "versions": versions(),
            "versionedResources": [self._version(path) for path in plan.versioned_resources],
        }
        self._write(State.RUNNING)
        store.mkdir(f"{self.directory}/{record.ATTEMPTS}")

    def finish(
        self, state: State, outcomes: Sequence[Outcome], best: Outcome | None, metric: object
    ) -> None:
        """Write the summary and the run's final state.

        Args:
            state: How the run ended.
            outcomes: The trials, in order.
            best: The winner of a search; `None` for a launch, or where none finished.
            metric: The run's metric; `None` where there is none.
        """
        summary = {"combinations": [_combination(outcome) for outcome in outcomes]}
        self._store.publish(f"{self.directory}/{record.SUMMARY_FILE}", record.dumps(summary))
        self._write(
            state,
            metric=None if metric is None else str(metric),
            duration=int((time.time() - self._begin) * 1000),
            bestDir=best and best.trial.directory,
        )
        self._remove_if_empty(f"{self.directory}/{record.ATTEMPTS}")

    def _write(self, state: State, **more: Any) -> None:  # noqa: ANN401 - JSON values
        facts = {**self._facts, "state": state, **more}
        self._store.publish(f"{self.directory}/{record.RUN_FILE}", record.dumps(facts, indent=2))

    def _version(self, resource: "Place") -> str:
        """Copy a resource into the run's directory, and return where it is kept."""
        name = resource.path.rpartition("/")[2]
        stem, dot, suffix = name.partition(".")
        while name in self.resources or name in record.RESERVED:
            stem += "_"
            name = f"{stem}{dot}{suffix}"
        self.resources.append(name)
        self._store.publish(f"{self.directory}/{name}", resource.store.read(resource.path))
        return f"{self.directory}/{name}"

    def _remove_if_empty(self, directory: str) -> None:
        if not self._store.list(directory):  # an attempt that was lost keeps its log there
            self._store.remove(directory)


def _combination(outcome: Outcome) -> dict[str, Any]:
    combination = {
        "parameters": record.plain(outcome.trial.parameters),
        "outputs": outcome.outputs,
    }
    return combination if outcome.error is None else {**combination, "error": outcome.error}


def _name(name: str) -> str:
    job = os.environ.get(environment.HOPSWORKS_JOB_NAME)
    return job if job and name == "no-name" else name


def _claim(store: "Store", application: str) -> str:
    for count in itertools.count(1):
        run_id = f"{application}_{count}"
        if store.create_dir(record.run_directory(run_id)):
            return run_id
    raise AssertionError  # the loop does not end
