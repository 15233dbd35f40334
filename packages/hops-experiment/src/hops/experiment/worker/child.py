"""The process that a trial runs in: waits for an assignment, runs it, reports, and ends.

Started by the nursery, either as a fork of its clean interpreter or as a fresh one (`python -m
hops.experiment.worker.child`). With isolation `worker` it takes one trial after another.
"""

import atexit
import os
import pickle
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hops.experiment import wire
from hops.experiment.worker import trial


def serve(control: wire.Connection) -> None:
    """Run trials until the agent closes the connection, or until it says that this was the last."""
    control.limit_bytes = wire.MESSAGE_BYTES
    function: Callable[..., Any] | None = None
    while True:
        try:
            message, blob = control.receive(None)
        except wire.Closed:
            return
        last = message["last"]
        assignment = trial.Assignment(**message["assignment"])
        try:
            function = function or _load(message["function"])
            parameters = pickle.loads(blob) if blob else None  # noqa: S301 - from the driver
        except Exception as error:  # noqa: BLE001 - an import that fails here is the trial's failure
            report = trial.unloadable(error)
        else:
            at_end = _run_exit_handlers if last else _flush
            report = trial.run(assignment, function, parameters, at_end=at_end)
        _flush()
        control.send(report._asdict())
        if last:
            return


def _load(path: str) -> Callable[..., Any]:
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib is slower, and this is every trial's start
        function: Callable[..., Any] = pickle.load(file)  # noqa: S301 - the driver's, over a proved channel
    return function


def _run_exit_handlers() -> None:
    # The process ends by os._exit, which threads of the user's cannot delay; writers that rely on
    # an orderly exit (logging, event files, multiprocessing) get it here, before the result counts.
    atexit._run_exitfuncs()  # noqa: SLF001 - the only way to run them and go on


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # the function closed or replaced it
            stream.flush()


def serve_descriptor(control: int) -> None:
    """Serve on a connected socket that was inherited."""
    _reopen_streams()
    serve(wire.Connection(socket.socket(fileno=control)))


def _reopen_streams() -> None:
    # Line buffering, so that what the function prints is seen while it runs, and is not lost
    # if the process is killed.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - a descriptor, kept open
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = open(  # noqa: SIM115 - a descriptor, kept open
            descriptor, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def main() -> None:
    """Serve on the descriptor, with the entries for `sys.path`, that the command line names."""
    sys.path[:] = sys.argv[2:]
    serve_descriptor(int(sys.argv[1]))
    os._exit(0)


if __name__ == "__main__":
    main()
