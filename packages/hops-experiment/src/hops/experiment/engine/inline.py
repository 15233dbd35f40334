"""Trials in the caller's own process and thread, for a debugger and for `input()`."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from hops.core.variables import set_variables
from hops.experiment.driver.agents import Departure, Invitation, local_application, workers
from hops.experiment.driver.service import described
from hops.experiment.worker import trial
from hops.experiment.worker.attempt import Attempt
from hops.experiment.worker.output import TrialOutput
from hops.hdfs.store import open_store

if TYPE_CHECKING:
    from hops.experiment.driver.service import Service
    from hops.experiment.settings import Settings

_AGENT = "inline"


class InlineEngine:
    """One trial after another; standard input and breakpoints are the caller's."""

    name = "inline"
    host = "127.0.0.1"
    known_as = None
    shares_path = True
    headline = f"inline engine ({workers(1)})"

    def __init__(self, settings: "Settings", trials: int | None) -> None:  # noqa: ARG002 - of every engine
        """Choose nothing: there is one worker, this process."""
        self.application = local_application()
        self._service: Service
        self._function: Callable[..., Any]

    def start(self, invitation: Invitation) -> None:
        """Do nothing: there is no other process to invite."""

    def serve(self, service: "Service", function: Callable[..., Any]) -> None:
        """Take the function itself, so that breakpoints in it work."""
        self._service = service
        self._function = function

    def poll(self) -> list[Departure]:
        """Run the next trial.

        Raises:
            KeyboardInterrupt: The user interrupted the function.
        """
        coordinator = self._service.coordinator
        lease = coordinator.next(_AGENT, 0)
        if lease is not None:
            report = self._run(described(lease), lease.trial.parameters)
            coordinator.report(_AGENT, lease.trial.number, lease.attempt, report._asdict())
            if report.error and report.error.startswith("KeyboardInterrupt"):
                raise KeyboardInterrupt
        return []

    def news(self) -> tuple[()]:
        """Return nothing."""
        return ()

    def close(self) -> None:
        """Do nothing: there is no other process to end."""

    def _run(self, lease: dict[str, Any], parameters: dict[str, Any] | None) -> trial.Report:
        run = self._service.welcome
        attempt = Attempt(open_store(run["store"]), lease, Path(os.devnull))
        assignment = trial.Assignment.of(run, lease, attempt.directory)
        with set_variables(run["environ"]), _tee(attempt.output):
            report = trial.run(assignment, self._function, parameters)
        attempt.finish(report._asdict())
        return report


@contextmanager
def _tee(output: TrialOutput) -> Iterator[None]:
    out, errors = _Tee(sys.stdout, output), _Tee(sys.stderr, output)
    with redirect_stdout(out), redirect_stderr(errors):
        yield


class _Tee:
    """A stream that also writes to the trial's log. All else is the stream's own."""

    def __init__(self, stream: TextIO, output: TrialOutput) -> None:
        self._stream = stream
        self._output = output

    def write(self, text: str) -> int:
        self._output.add(text.encode("utf-8", errors="backslashreplace"))
        return self._stream.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)
