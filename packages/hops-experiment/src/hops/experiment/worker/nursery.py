"""Starts the processes of trials from a clean, single-threaded interpreter.

The nursery is forked from the agent before the agent opens anything. It forks a child for each
trial, reaps it, and kills the child's whole process group when the child ends or the agent is gone,
so that nothing outlives its agent, however the agent ended.
"""

import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from hops.experiment import wire
from hops.experiment.errors import ProtocolError
from hops.experiment.worker.processes import (
    adopt_orphans,
    death_with_parent,
    end_orphans,
    kill_group,
    set_group,
)


class Child(NamedTuple):
    """A process that waits for an assignment."""

    pid: int
    control: wire.Connection
    output: int
    """Descriptor of the pipe behind the child's descriptors 1 and 2; does not block."""

    def kill(self) -> None:
        """End the child and all that it started. The nursery reports its exit."""
        kill_group(self.pid)

    def close(self) -> None:
        """Let go of both ends."""
        self.control.close()
        os.close(self.output)


class Nursery:
    """The agent's end."""

    def __init__(self) -> None:
        """Fork the nursery. Call this before the agent has opened a socket or started a thread."""
        ours, theirs = socket.socketpair()
        self._scratch = ""
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            _end_with(_Keeper(theirs).serve)
        theirs.close()
        self._link = wire.Connection(ours)
        self._link.limit_bytes = wire.MESSAGE_BYTES

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when a child ends."""
        return self._link.fileno()

    def prepare(
        self, *, path: list[str], environ: dict[str, str], preload: list[str], scratch: str
    ) -> str | None:
        """Set up what every child inherits.

        Args:
            path: Entries to add to `sys.path`, those of the program that was started.
            environ: Variables to add.
            preload: Modules to import once, before children are forked.
            scratch: A directory to remove when the agent is gone.

        Returns:
            What went wrong with *preload*, or `None`.
        """
        self._scratch = scratch
        self._link.send({"path": path, "environ": environ, "preload": preload, "scratch": scratch})
        problem: str | None = self._link.receive(None).message["problem"]
        return problem

    def start(self, *, fresh: bool) -> Child:
        """Start a child.

        Args:
            fresh: Whether it is a new interpreter instead of a fork of the nursery.
        """
        ours, theirs = socket.socketpair()
        output, write_end = os.pipe()
        os.set_blocking(output, False)
        self._link.send({"start": fresh})
        socket.send_fds(self._link.sock, [b"\0"], [theirs.fileno(), write_end])
        theirs.close()
        os.close(write_end)
        control = wire.Connection(ours)
        control.limit_bytes = wire.MESSAGE_BYTES
        return Child(self._started(), control, output)

    def _started(self) -> int:
        while True:
            message = self._link.receive(None).message
            if "pid" in message:  # else it is the end of a child that had reported before
                pid: int = message["pid"]
                return pid

    def ended(self) -> tuple[int, int]:
        """Wait for the next exit: the pid, and the exit code, or minus the signal's number."""
        message = self._link.receive(None).message
        return message["ended"], message["code"]

    def close(self) -> None:
        """End the nursery, and with it every child."""
        self._link.close()
        os.waitpid(self.pid, 0)
        _remove(self._scratch)  # if the nursery was killed, it has not


class _Keeper:
    """The nursery's end: one loop over the agent's requests and the children's ends."""

    def __init__(self, sock: socket.socket) -> None:
        self._link = wire.Connection(sock)
        self._link.limit_bytes = wire.MESSAGE_BYTES
        self._children: set[int] = set()
        self._path: list[str] = []
        self._scratch = ""
        self._die_with = death_with_parent()
        adopt_orphans()

    def serve(self) -> None:
        import cloudpickle  # noqa: F401 - every function needs it: once here, not in each child

        signal.signal(signal.SIGINT, signal.SIG_IGN)
        wake, write_end = os.pipe()
        for end in (wake, write_end):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        try:
            while True:
                ready, _, _ = select.select([self._link.fileno(), wake], [], [])
                if wake in ready:
                    os.read(wake, 4096)
                    self._reap()
                if self._link.fileno() in ready:
                    self._answer()
        except ProtocolError:
            pass  # the agent is gone
        finally:
            self._end()

    def _answer(self) -> None:
        message = self._link.receive(None).message
        if "start" in message:
            _, descriptors, _, _ = socket.recv_fds(self._link.sock, 1, 2)
            self._link.send({"pid": self._start(*descriptors, fresh=message["start"])})
        else:
            self._link.send({"problem": self._prepare(**message)})

    def _prepare(
        self, path: list[str], environ: dict[str, str], preload: list[str], scratch: str
    ) -> str | None:
        # In the order of the program, so that a trial imports what the program does.
        self._path = [*path, *(entry for entry in sys.path if entry not in path)]
        self._scratch = scratch
        sys.path[:] = self._path
        os.environ.update(environ)
        import importlib

        for module in preload:
            try:
                importlib.import_module(module)
            except BaseException as error:  # noqa: BLE001 - any module's own failure is reported
                return f"{module!r} cannot be imported: {type(error).__name__}: {error}"
        return None

    def _start(self, control: int, output: int, *, fresh: bool) -> int:
        nursery = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._link.sock.close()
            self._die_with(nursery)
            _end_with(lambda: self._become(control, output, fresh=fresh))
        # Both sides set the group: whoever comes first, a kill never misses.
        set_group(pid)
        os.close(control)
        os.close(output)
        self._children.add(pid)
        return pid

    def _become(self, control: int, output: int, *, fresh: bool) -> None:
        set_group(0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for descriptor, number in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(descriptor, number)
        os.close(output)
        if fresh:
            os.set_inheritable(control, True)  # noqa: FBT003 - positional only
            module = "hops.experiment.worker.child"
            command = [sys.executable, "-P", "-m", module, str(control), *self._path]
            os.execv(sys.executable, command)  # noqa: S606 - our own interpreter, no shell
        from hops.experiment.worker import child

        child.serve_descriptor(control)

    def _reap(self) -> None:
        with suppress(ChildProcessError):  # nobody is left
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid in self._children:
                    self._children.remove(pid)
                    kill_group(pid)  # what the trial started and left behind
                    end_orphans(self._children)  # and hid from its group
                    self._link.send({"ended": pid, "code": os.waitstatus_to_exitcode(status)})

    def _end(self) -> None:
        for pid in self._children:
            kill_group(pid)
        end_orphans(())
        _remove(self._scratch)


def _remove(scratch: str) -> None:
    if os.path.isdir(scratch):  # noqa: PTH112 - empty where there is none
        import shutil

        shutil.rmtree(scratch, ignore_errors=True)


def _end_with(serve: Callable[[], Any]) -> None:
    """Run *serve* in a forked process, which never returns into the code of its parent."""
    try:
        serve()
        os._exit(0)
    except BaseException:  # noqa: BLE001 - whatever it was, the parent's code must not run here
        import traceback

        traceback.print_exc()
    finally:
        os._exit(1)
