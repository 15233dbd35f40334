"""Watches one running trial: its output, its report, its end, and what the driver says to it."""

import select
import signal
import time
from typing import Any

from hops.experiment import record, wire
from hops.experiment.errors import ProtocolError
from hops.experiment.worker.link import Link
from hops.experiment.worker.nursery import Child, Nursery
from hops.experiment.worker.output import TrialOutput

BEAT_S = 1.0
"""How often the driver hears of a running trial."""

LOG_S = 0.1
"""How soon a line that the trial writes is passed on."""

LOST = "LOST"
"""The process was killed from outside, such as by the kernel for its memory: worth another try."""

_FROM_OUTSIDE = {-signal.SIGKILL, -signal.SIGTERM}


class Watch:
    """One trial in one child."""

    def __init__(
        self, link: Link, nursery: Nursery, child: Child, lease: dict[str, Any], output: TrialOutput
    ) -> None:
        """Watch *child*, which has been given the trial of *lease*."""
        self._link = link
        self._nursery = nursery
        self._child = child
        self._lease = lease
        self._output = output
        self._report: dict[str, Any] | None = None
        self._exit_code: int | None = None
        self._stopped = False
        self._silent_child = False
        self._begin = self._beat_at = time.monotonic()

    def until_it_ends(self) -> dict[str, Any]:
        """Watch until the trial has reported, or its process has ended.

        Returns:
            `state`, `error`, `traceback`, `seconds`.

        Raises:
            OSError: The driver is gone; the child has been killed.
        """
        try:
            while self._report is None and self._exit_code is None:
                self._wait()
                self._beat()
        except BaseException:
            self._child.kill()
            raise
        self._output.drain(self._child.output)
        return self._report or self._death()

    @property
    def child_ended(self) -> bool:
        """Whether the child cannot take another trial."""
        return self._exit_code is not None or self._stopped

    def _wait(self) -> None:
        sources: list[Any] = [self._child.output, self._nursery, self._link]
        if not self._silent_child:
            sources.append(self._child.control)
        ready, _, _ = select.select(sources, [], [], self._next_beat_s())
        if self._child.output in ready:
            self._output.drain(self._child.output)
        if self._child.control in ready:
            self._hear_child()
        if self._nursery in ready:
            pid, code = self._nursery.ended()
            if pid == self._child.pid:
                self._exit_code = code
        if self._link in ready:
            self._hear_driver()

    def _hear_child(self) -> None:
        try:
            self._report = self._child.control.receive(None).message
        except wire.Closed:
            self._silent_child = True  # its exit follows, and says why

    def _hear_driver(self) -> None:
        try:
            go_on = self._link.receive().message["go_on"]
        except ProtocolError:
            go_on = self._link.resume(self._lease)
        if not go_on:
            self._stopped = True
            self._child.kill()

    def _beat(self) -> None:
        if self._link.is_waiting:
            self._link.check()
        elif self._next_beat_s() <= 0:
            lines, skipped = self._output.waiting()
            beat = {"number": self._lease["number"], "attempt": self._lease["attempt"]}
            try:
                self._link.ask({"type": "beat", **beat, "lines": lines, "skipped": skipped})
            except ProtocolError:
                self._hear_driver()
            self._beat_at = time.monotonic()

    def _next_beat_s(self) -> float:
        pace_s = LOG_S if self._output.is_waiting and not self._link.is_waiting else BEAT_S
        return max(0.0, self._beat_at + pace_s - time.monotonic())

    def _death(self) -> dict[str, Any]:
        code = self._exit_code or 0
        state = LOST if code in _FROM_OUTSIDE else record.State.FAILED
        if self._stopped:
            state = record.State.KILLED
        seconds = time.monotonic() - self._begin
        return {"state": state, "error": _how(code), "traceback": None, "seconds": seconds}


def _how(code: int) -> str:
    if code >= 0:
        return f"The trial's process ended with exit code {code} before the function returned."
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = "unknown"
    return f"The trial's process was killed by signal {-code} ({name})."
