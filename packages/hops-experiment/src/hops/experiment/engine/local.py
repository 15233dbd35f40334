"""Agents as processes of this machine."""

import os
import subprocess
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hops.experiment.driver.agents import (
    Departure,
    Invitation,
    how_it_ended,
    local_application,
    workers,
)
from hops.experiment.engine.process import AgentProcess, start_agent

if TYPE_CHECKING:
    from hops.experiment.driver.service import Service
    from hops.experiment.settings import Settings

END_S = 5.0
"""How long the agents may take to end by themselves when the run is over."""

SHORT_S = 0.5
"""An agent that ends sooner could perhaps not start: so long no other one takes its place."""

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class LocalEngine:
    """One agent per trial that runs at a time."""

    name = "local"
    host = "127.0.0.1"
    known_as = None
    shares_path = True

    def __init__(self, settings: "Settings", trials: int | None) -> None:
        """Prepare as many agents as there are workers, but no more than trials."""
        self._cores = _cores()
        wanted = settings.workers or self._cores
        self._agents = max(1, wanted if trials is None else min(wanted, trials))
        self._invitation: Invitation
        self._running: list[AgentProcess] = []
        self._started = 0
        self._not_before = 0.0
        self.application = local_application()
        self.headline = f"local engine ({workers(self._agents)})"

    def start(self, invitation: Invitation) -> None:
        """Start the agents."""
        self._invitation = invitation
        for _ in range(self._agents):
            self._start_one()

    def serve(self, service: "Service", function: Callable[..., Any]) -> None:
        """Do nothing: the agents ask over the channel."""

    def poll(self) -> list[Departure]:
        """Return the agents that have ended, and start as many new ones."""
        now = time.monotonic()
        ended = [running for running in self._running if running.process.poll() is not None]
        for running in ended:
            self._running.remove(running)
            if now - running.started < SHORT_S:
                self._not_before = now + SHORT_S
        while len(self._running) < self._agents and now >= self._not_before:
            self._start_one()
        return [_departure(running) for running in ended]

    def news(self) -> tuple[()]:
        """Return nothing: processes of this machine start at once."""
        return ()

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
        agent = f"{self.name}-{self._started}"
        self._started += 1
        self._running.append(start_agent(self._invitation.for_agent(agent), self._environment()))

    def _environment(self) -> dict[str, str]:
        """Return ours, with numeric libraries kept from using every core in every trial."""
        threads = str(max(1, self._cores // self._agents))
        return {**dict.fromkeys(_THREADS, threads), **os.environ}


def _departure(ended: AgentProcess) -> Departure:
    return Departure(ended.agent, how_it_ended(ended.process.returncode, ended.said()))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
