"""Agents as processes of this machine."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from hops.experiment.driver.agents import Departure, Invitation

if TYPE_CHECKING:
    from hops.experiment.driver.service import Service
    from hops.experiment.settings import Settings

END_S = 5.0
"""How long the agents may take to end by themselves when the run is over."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class _Process(NamedTuple):
    agent: str
    process: "subprocess.Popen[bytes]"
    errors: IO[bytes]


class LocalEngine:
    """One agent per trial that runs at a time."""

    name = "local"
    host = "127.0.0.1"

    def __init__(self, settings: "Settings", trials: int | None) -> None:
        """Prepare as many agents as there are workers, but no more than trials."""
        self._cores = _cores()
        wanted = settings.workers or self._cores
        self.agents = max(1, wanted if trials is None else min(wanted, trials))
        self._invitation: Invitation
        self._running: list[_Process] = []
        self._started = 0

    def start(self, invitation: Invitation) -> None:
        """Start the agents."""
        self._invitation = invitation
        for _ in range(self.agents):
            self._start_one()

    def serve(self, service: "Service", function: Callable[..., Any]) -> None:
        """Do nothing: the agents ask over the channel."""

    def poll(self) -> list[Departure]:
        """Return the agents that have ended, and start as many new ones."""
        ended = [running for running in self._running if running.process.poll() is not None]
        for running in ended:
            self._running.remove(running)
            self._start_one()
        return [self._departure(running) for running in ended]

    def close(self) -> None:
        """Let the agents end, or end them."""
        deadline = time.monotonic() + END_S
        for running in self._running:
            try:
                running.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                running.process.kill()  # its nursery ends the trial
                running.process.wait()
            running.errors.close()
        self._running.clear()

    def _start_one(self) -> None:
        import tempfile

        errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the agent has ended
        agent = f"{self.name}-{self._started}"
        self._started += 1
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "hops.experiment.worker.agent"],
            stdin=subprocess.PIPE,
            stdout=errors,
            stderr=errors,
            env=self._environment(),
            start_new_session=True,  # Ctrl-C in the terminal is the driver's to handle
        )
        self._running.append(_Process(agent, process, errors))
        token = self._invitation.token.hex()
        invitation = {**self._invitation._asdict(), "token": token, "agent": agent}
        _tell(process, json.dumps(invitation).encode() + b"\n")

    def _environment(self) -> dict[str, str]:
        """Return ours, with numeric libraries kept from using every core in every trial."""
        threads = str(max(1, self._cores // self.agents))
        return {**dict.fromkeys(_THREADS, threads), **os.environ}

    def _departure(self, running: _Process) -> Departure:
        running.errors.seek(0)
        said = running.errors.read()[-2000:].decode(errors="replace").strip()
        running.errors.close()
        code = running.process.returncode
        how = f"its process was killed by signal {-code}" if code < 0 else f"it ended with {code}"
        return Departure(running.agent, f"{how}: {said}" if said else how)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _tell(process: "subprocess.Popen[bytes]", line: bytes) -> None:
    """Write a line to the process's standard input, where no other process can read it."""
    if process.stdin is not None:
        try:
            process.stdin.write(line)
            process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended already: poll() says how
