"""The TensorBoard of a run, and what it is shown: events of the trials, and the HParams tab."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

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
        """Start TensorBoard for the run in *directory*, relative to the project.

        Raises:
            OSError: There is no place for temporary files.
        """
        self._store = store
        self._directory = directory
        self._address_file = f"{directory}/{record.TENSORBOARD_FILE}"
        self._mirror = Mirror()
        self._tensorboard = TensorBoard()
        self._tensorboard.start(self._mirror.directory, home=self._mirror.home)
        roots = [root for root in (store.local_path(directory), self._mirror.directory) if root]
        values = {name: list(items) for name, items in (plan.space or {}).items()}
        self._hparams = HParamsWriter(roots, values, plan.metric_key)
        self._said: set[str] = set()

    def started(self, trial: "Trial", directory: str) -> None:
        """Show what the trial writes in *directory* from now on."""
        self._show(trial, directory)

    def ended(self, outcome: "Outcome") -> None:
        """Show the trial where it is kept, with its parameters and outputs."""
        place = self._show(outcome.trial, outcome.trial.directory)
        if place is not None:
            self._hparams.add(place, outcome)

    def news(self) -> Iterator[str]:
        """Yield the address once it is known, and once what went wrong."""
        url = self._tensorboard.url()
        if url is not None and url not in self._said:
            self._said.add(url)
            self._store.publish(self._address_file, url.encode())
            yield f"TensorBoard: {url}"
        problem = self._tensorboard.problem()
        if problem is not None and problem not in self._said:
            self._said.add(problem)
            yield problem

    def close(self) -> Iterator[str]:
        """End TensorBoard, write what is left to write, and yield what went wrong."""
        problem = self._hparams.close()
        yield from self.news()
        if not self._said:  # the run was over before its TensorBoard was up
            yield f"TensorBoard: hops.tensorboard.visualize({self._directory!r}) shows this run."
        self._tensorboard.stop()
        self._mirror.close()
        if self._store.exists(self._address_file):
            self._store.remove(self._address_file)
        if problem is not None:
            yield problem

    def _show(self, trial: "Trial", directory: str) -> Path | None:
        place = self._store.local_path(directory)
        if place is not None:
            self._mirror.show(trial.name, place)
        return place
