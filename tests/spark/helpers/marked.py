"""Processes found by a value in their environment, whoever's children they are.

An executor is no child of the driver that it works for, but of a worker of the cluster; so a tree
of processes would not show it. What it starts inherits its environment.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

VARIABLE = "MARKED_BY_TEST"
"""Which variable to set; any value that no other process has will do."""

_PROCESSES = Path("/proc")


class Process(NamedTuple):
    """A process that was there a moment ago."""

    pid: int

    command: str
    """Its program and arguments, separated by spaces; empty once it has ended."""

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


def new_mark() -> str:
    """Return a value that no process has in its environment."""
    return f"mark-{os.urandom(8).hex()}"


def find(mark: str, command: str = "") -> list[Process]:
    """Return the processes with *mark* in their environment, the oldest first.

    Args:
        mark: A whole value of a variable, whatever its name.
        command: A part of the command line, such as `CoarseGrainedExecutorBackend` for the JVM of
            an executor and `pyspark.daemon` for what forks its Python workers.
    """
    pids = sorted(int(entry.name) for entry in _PROCESSES.iterdir() if entry.name.isdecimal())
    found = [Process(pid, _command(pid)) for pid in pids if _is_marked(pid, mark)]
    return [process for process in found if command in process.command]


def wait_for_end(mark: str, *, within_s: float) -> list[Process]:
    """Return those of the marked processes that are still there after *within_s*."""
    deadline = time.monotonic() + within_s
    while (left := find(mark)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def kill_all(mark: str) -> None:
    """Kill the marked processes, and wait until there are none."""
    while left := find(mark):
        for process in left:
            process.send_signal(signal.SIGKILL)
        time.sleep(0.02)


def _is_marked(pid: int, mark: str) -> bool:
    return any(each.partition(b"=")[2] == mark.encode() for each in _read(pid, "environ"))


def _command(pid: int) -> str:
    return b" ".join(_read(pid, "cmdline")).decode(errors="replace")


def _read(pid: int, name: str) -> list[bytes]:
    """Return the texts of a file that the kernel shows; none for a process that is not ours."""
    try:
        return (_PROCESSES / str(pid) / name).read_bytes().rstrip(b"\0").split(b"\0")
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return []
