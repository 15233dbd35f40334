"""One trial: call the user's function in a prepared process, and keep what it returns."""

import os
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from hops.core import environment
from hops.experiment import record
from hops.experiment.context import TrialContext, current_trial
from hops.experiment.function import call
from hops.experiment.worker.outputs import Keeper, free_path, sync_directory, write_durably

TRACEBACK_BYTES = 64 * 1024
"""Longest traceback that is kept: the end of it."""

ERROR_BYTES = 2 * 1024
"""Longest error that is told in one line."""

LOCAL_LOGDIR = "local_logdir"
"""Name of TensorBoard's directory in the working directory, with `local_logdir=True`."""


class Assignment(NamedTuple):
    """What a process must know to run a trial."""

    run_id: str
    trial: str
    directory: str
    """Where this attempt writes, on this machine."""
    kept_as: str
    """Where its files will be in the end, relative to the project."""
    store_url: str
    metric_key: str | None
    """The output that a search compares; `None` where nothing is compared."""
    local_logdir: bool
    taken: list[str]
    """Names of files that are in the run's directory already."""
    caller_directory: str
    """Where the program was started, for a better message about a missing file."""

    @classmethod
    def of(cls, run: dict[str, Any], lease: dict[str, Any], directory: Path) -> "Assignment":
        """Make the assignment of a lease, from what the driver said of the run and of the trial."""
        return cls(
            run_id=run["run_id"],
            trial=lease["name"],
            directory=str(directory),
            kept_as=lease["kept_as"],
            store_url=run["store"],
            metric_key=run["metric_key"],
            local_logdir=run["local_logdir"],
            taken=run["taken"],
            caller_directory=run["caller_directory"],
        )


class Report(NamedTuple):
    """How the function ended."""

    state: str
    error: str | None = None
    traceback: str | None = None
    seconds: float = 0.0


def run(
    assignment: Assignment,
    function: Callable[..., Any],
    parameters: dict[str, Any] | None,
    *,
    at_end: Callable[[], None] = lambda: None,
) -> Report:
    """Call *function*, keep its outputs in the attempt's directory, and say how it went.

    Never raises what the function raised: a failed trial is a result too.

    Args:
        assignment: Where and as what the trial runs.
        function: The user's.
        parameters: Its arguments by name; `None` for none.
        at_end: Called in the trial's surroundings when the function has returned or failed.
    """
    begin, process = time.monotonic(), os.getpid()
    try:
        with _prepared(assignment) as work:
            try:
                value = call(function, parameters or {})
            finally:
                if os.getpid() != process:
                    os._exit(0)  # a copy that the function has forked and let return
                seconds = time.monotonic() - begin
                at_end()
            _keep(assignment, value, work)
    except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt are the function's too
        return _failure(error, assignment, time.monotonic() - begin)
    return Report(record.State.FINISHED, seconds=seconds)


@contextmanager
def _prepared(assignment: Assignment) -> Iterator[Path]:
    """Give the function a working directory of its own, and tell it where it is."""
    work = Path(assignment.directory, record.WORK)
    work.mkdir()
    logdir = assignment.directory
    if assignment.local_logdir:
        logdir = str(work / LOCAL_LOGDIR)
        os.mkdir(logdir)  # noqa: PTH102 - a text already
    before = os.open(os.curdir, os.O_RDONLY)  # not its name: it may have been removed
    os.chdir(work)
    os.environ[environment.HOPS_LOGDIR] = logdir
    context = TrialContext(run_id=assignment.run_id, trial=assignment.trial, logdir=logdir)
    token = current_trial.set(context)
    try:
        yield work
    finally:
        current_trial.reset(token)
        os.environ.pop(environment.HOPS_LOGDIR, None)
        os.fchdir(before)
        os.close(before)
        with suppress(FileNotFoundError):  # the function has removed it
            _tidy(assignment, work)


def _tidy(assignment: Assignment, work: Path) -> None:
    """Move TensorBoard's events to their place, and remove the working directory if it is empty."""
    if assignment.local_logdir:
        logdir = work / LOCAL_LOGDIR
        with suppress(FileNotFoundError):  # the function returned it, or removed it
            for item in sorted(logdir.iterdir()):
                item.rename(free_path(Path(assignment.directory), item.name, assignment.taken))
            logdir.rmdir()
    with suppress(OSError):  # the function left files there: they are kept
        work.rmdir()


def _keep(assignment: Assignment, value: Any, work: Path) -> None:  # noqa: ANN401 - the user's
    directory = Path(assignment.directory)
    keeper = Keeper(directory, assignment.kept_as, work, assignment.store_url, assignment.taken)
    outputs = keeper.keep(value)
    try:
        if assignment.metric_key is not None:
            metric = record.metric_of(outputs, assignment.metric_key)
            (directory / record.METRIC_FILE).write_bytes(str(metric).encode())
    finally:  # what was returned is kept also where the metric is missing
        write_durably(directory / record.OUTPUTS_FILE, record.dumps(outputs))
        sync_directory(directory)


def _failure(error: BaseException, assignment: Assignment, seconds: float) -> Report:
    hint = _hint(error, assignment)
    if hint:
        error.add_note(f"Hint: {hint}")
    text = "".join(traceback.format_exception(type(error), error, _users(error.__traceback__)))
    return Report(record.State.FAILED, _in_one_line(error), text[-TRACEBACK_BYTES:], seconds)


def _in_one_line(error: BaseException) -> str:
    # A SyntaxError has indented lines with its place before the one that says what is wrong.
    texts = traceback.format_exception_only(error)
    said = next(text for text in texts if not text.startswith(" "))
    return said.partition("\n")[0][:ERROR_BYTES]


def _users(trace: TracebackType | None) -> TracebackType | None:
    """Leave out our own frames above the function's; keep them where there are no others."""
    ours = str(Path(__file__).parents[1])
    below = trace
    while below is not None and below.tb_frame.f_code.co_filename.startswith(ours):
        below = below.tb_next
    return below or trace


def _hint(error: BaseException, assignment: Assignment) -> str | None:
    if isinstance(error, FileNotFoundError) and isinstance(error.filename, str):
        there = Path(assignment.caller_directory, error.filename)
        if not Path(error.filename).is_absolute() and there.exists():
            return (
                f"A trial runs in a directory of its own. {error.filename!r} is in "
                f"{assignment.caller_directory}: use its absolute path, or put it into the project."
            )
    if isinstance(error, EOFError) or type(error).__name__ == "BdbQuit":
        return "A trial has no keyboard. Use engine='inline' for input() and for a debugger."
    return None


def unloadable(error: BaseException) -> Report:
    """Report a function, or its values, that could not be loaded in the trial's process."""
    error.add_note("Hint: what the function refers to must be importable where the trial runs.")
    text = "".join(traceback.format_exception(error))
    return Report(record.State.FAILED, _in_one_line(error), text[-TRACEBACK_BYTES:])
