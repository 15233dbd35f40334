"""Brings an accepted trial to its place in the run's directory."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hops.experiment import record
from hops.experiment.record import Outcome, State
from hops.hdfs.errors import DirectoryNotEmptyError

if TYPE_CHECKING:
    from hops.experiment.driver.lease import Lease
    from hops.hdfs.store import Store


class Publisher:
    """Publishes trials by rename, so that each is there whole or not at all."""

    def __init__(self, store: "Store", metric_key: str | None) -> None:
        """Publish in *store*.

        Args:
            store: The project.
            metric_key: The output that a search compares; `None` where nothing is compared.
        """
        self._store = store
        self._metric_key = metric_key

    def publish(self, lease: "Lease", report: dict[str, Any]) -> Outcome:
        """Bring the attempt's files to the trial's place, and say how the trial ended.

        A finished trial whose files cannot be read or moved has failed, with that as its error.
        One that failed may have none: an attempt that was lost before it began.
        """
        outputs, metric, problem = None, None, None
        state = State(report["state"])
        try:
            if state is State.FINISHED:
                outputs, metric = self._read(lease)
            self._move(lease)
        except (OSError, ValueError) as error:
            state = State.FAILED if state is State.FINISHED else state
            outputs, metric = None, None
            problem = f"{type(error).__name__}: the trial's files are lost: {error}"
        return Outcome(
            trial=lease.trial,
            state=state,
            outputs=outputs,
            metric=metric,
            error=report["error"] or problem,
            traceback=report["traceback"],
            started=lease.started,
            seconds=report["seconds"],
            attempts=lease.attempt,
        )

    def _read(self, lease: "Lease") -> tuple[dict[str, Any], float | None]:
        data = self._store.read(f"{lease.directory}/{record.OUTPUTS_FILE}")
        outputs: dict[str, Any] = record.loads(data)
        key = self._metric_key
        return outputs, None if key is None else record.metric_of(outputs, key)

    def _move(self, lease: "Lease") -> None:
        if lease.trial.name:
            self._store.rename(lease.directory, lease.trial.directory)
            return
        # A run of one trial shares the run's directory; the outputs come last, since they say
        # that the trial is whole.
        names = [entry.name for entry in self._store.list(lease.directory)]
        for name in sorted(names, key=lambda name: name == record.OUTPUTS_FILE):
            self._store.rename(f"{lease.directory}/{name}", f"{lease.trial.directory}/{name}")
        with suppress(DirectoryNotEmptyError):  # what the trial left running still writes there
            self._store.remove(lease.directory)
