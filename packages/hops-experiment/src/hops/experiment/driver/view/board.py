"""The TensorBoard of a run, and what it is shown: events of the trials, and the HParams tab."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hops.experiment import record
from hops.experiment.driver.view.hparams import HParamsWriter
from hops.experiment.driver.view.tensorboard import Mirror, TensorBoard

if TYPE_CHECKING:
    from hops.experiment.driver.plan import Plan
    from hops.experiment.record import Outcome, Trial
    from hops.hdfs.store import Store


class Board:
    """Starts with the first trial, ends with the run."""

    def __init__(self, plan: "Plan", store: "Store", directory: str) -> None:
        """Start TensorBoard for the run in *directory*, unless the plan does without."""
        self._store = store
        self._directory = directory
        self._address_file = f"{directory}/{record.TENSORBOARD_FILE}"
        self._mirror = Mirror()
        self._tensorboard = TensorBoard() if plan.settings.tensorboard else None
        if self._tensorboard is not None:
            self._tensorboard.start(self._mirror.directory)
        roots = [root for root in (self._local(directory), self._mirror.directory) if root]
        self._hparams = HParamsWriter(roots, _values(plan.space), plan.metric_key)
        self._said: set[str] = set()
        self._shown = False

    def started(self, trial: "Trial", directory: str) -> None:
        """Show what the trial writes in *directory* from now on."""
        self._show(trial, directory)

    def ended(self, outcome: "Outcome") -> None:
        """Show the trial where it is kept, with its parameters and outputs."""
        place = self._show(outcome.trial, outcome.trial.directory)
        if place is not None:
            self._hparams.add(place, outcome)

    def news(self) -> Iterator[str]:
        """Yield the address once it is known, or what went wrong, once."""
        if self._tensorboard is None:
            return
        url = self._tensorboard.url()
        if url is not None and not self._shown:
            self._shown = True
            self._store.publish(self._address_file, url.encode())
            yield f"TensorBoard: {url}"
        problem = self._tensorboard.problem()
        if problem is not None and problem not in self._said:
            self._said.add(problem)
            yield problem

    def close(self) -> Iterator[str]:
        """End TensorBoard, write what is left to write, and yield what went wrong."""
        problem = self._hparams.close()
        if self._tensorboard is not None:
            yield from self.news()
            self._tensorboard.stop()
            if self._shown:
                self._store.remove(self._address_file)
        self._mirror.close()
        if problem is not None:
            yield problem

    def _show(self, trial: "Trial", directory: str) -> Path | None:
        place = self._local(directory)
        if place is not None:
            self._mirror.show(trial.name, place)
        return place

    def _local(self, directory: str) -> Path | None:
        return self._store.local_path(directory)


def _values(space: Any) -> dict[str, list[Any]]:  # noqa: ANN401 - the plan's
    return {name: list(values) for name, values in (space or {}).items()}
