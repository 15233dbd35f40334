"""The queue of a run: who runs which trial, what is accepted, and when it is over.

Every lease has an attempt number. A report counts only if it names the lease that is in force;
whatever an earlier attempt says or writes later changes nothing, because it wrote in a directory of
its own that nobody publishes.
"""

import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hops.experiment.driver.events import Ended, Event, Logged, Noted, Started
from hops.experiment.driver.lease import Lease
from hops.experiment.driver.search import Search
from hops.experiment.record import Outcome, State, Trial, attempt_directory, trial_name

if TYPE_CHECKING:
    from hops.experiment.driver.publisher import Publisher

MAX_ATTEMPTS = 3
"""How often a trial is tried whose process or host is lost; a failing function is not retried."""

RECONNECT_S = 2.0
"""How long an agent whose connection is lost may take to come back."""


class Coordinator:
    """Hands out trials and takes their results. Any thread may call any method."""

    def __init__(
        self,
        search: Search,
        publisher: "Publisher",
        *,
        directory: str,
        at_once: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the run.

        Args:
            search: What to try.
            publisher: Brings what has been accepted to its place.
            directory: Of the run, relative to the project. A search of one trial without parameters
                is kept in it itself.
            at_once: How many trials may run at a time; `None` for as many as there are agents. An
                engine may start an agent anew while the first one still works.
            clock: Seconds that pass.
        """
        self._search = search
        self._publisher = publisher
        self._directory = directory
        self._at_once = math.inf if at_once is None else at_once
        self._clock = clock
        self._changed = threading.Condition()
        self._over = threading.Event()
        self._leases: dict[int, Lease] = {}
        self._again: deque[Lease] = deque()
        self._agents: set[str] = set()
        self._connections: dict[str, int] = {}
        self._gone_since: dict[str, float] = {}
        self._names: set[str] = set()
        self._asked = 0
        self._exhausted = False
        self._stopped = False
        self._killed = False
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.outcomes: list[Outcome] = []

    # -- what the run asks ----------------------------------------------------------------------

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing left to run, and nothing running."""
        with self._changed:
            return self._is_finished()

    def wait(self, timeout_s: float) -> bool:
        """Wait until the run is finished; return whether it is."""
        return self._over.wait(timeout_s)

    def has_asked(self, agent: str) -> bool:
        """Return whether *agent*, or one in its place, has come so far as to ask for a trial."""
        with self._changed:
            return any(_stands_for(other, agent) for other in self._agents)

    @property
    def agents(self) -> int:
        """How many agents have asked for a trial so far."""
        return len(self._agents)

    @property
    def is_working(self) -> bool:
        """Whether a trial runs, or an agent is there that has asked for one."""
        with self._changed:
            return bool(self._leases) or not self._agents.isdisjoint(self._connections)

    @property
    def left(self) -> int | None:
        """How many trials run or are to be run again; `None` while the search may have more."""
        with self._changed:
            return len(self._leases) + len(self._again) if self._exhausted else None

    def stop(self) -> None:
        """Hand out no more; what runs may end."""
        with self._changed:
            self._stopped = True
            while self._again:
                self._give_up(self._again.popleft(), State.KILLED, "The run was ended.")
            self._notify()

    def kill(self) -> None:
        """Hand out no more, and end what runs."""
        self.stop()
        with self._changed:
            self._killed = True
            for lease in self._running():
                self._give_up(lease, State.KILLED, "The run was ended.")

    def expire(self) -> None:
        """Take back the trials of agents whose connection has been gone for too long."""
        now = self._clock()
        with self._changed:
            late = [a for a, since in self._gone_since.items() if now - since > RECONNECT_S]
            for agent in late:
                self._give_up_waiting(agent, "its connection was lost")

    # -- what agents ask ------------------------------------------------------------------------

    def connected(self, agent: str) -> None:
        """Note that *agent* is there: one that is gone in whose place it is does not come back."""
        with self._changed:
            self._connections[agent] = self._connections.get(agent, 0) + 1
            self._gone_since.pop(agent, None)
            first = agent.partition(".")[0]
            for earlier in [other for other in self._gone_since if _stands_for(other, first)]:
                self._give_up_waiting(earlier, "it was started anew")

    def disconnected(self, agent: str) -> None:
        """Note that a connection of *agent* is lost. It may come back, or have done so already."""
        with self._changed:
            self._connections[agent] -= 1
            if not self._connections[agent]:
                del self._connections[agent]
                self._gone_since[agent] = self._clock()

    def lose(self, agent: str, reason: str) -> None:
        """Note that *agent* has ended, and all in its place: their trials are to be run again."""
        with self._changed:
            self._take_back(reason, lambda other: _stands_for(other, agent))

    def next(self, agent: str, wait_s: float) -> Lease | None:
        """Hand out a trial to *agent*, which has none: one that it holds never came to it.

        Args:
            agent: Who asks.
            wait_s: How long to wait for one.

        Returns:
            `None` if none came up in this time, or if the run is over.
        """
        deadline = self._clock() + wait_s
        with self._changed:
            self._agents.add(agent)
            self._take_back("the worker never heard of it", agent.__eq__)
            while True:
                found = self._take()
                if found is not None:
                    return self._lend(*found, agent)
                if self._is_finished() or not self._changed.wait(deadline - self._clock()):
                    return None

    def resume(self, agent: str, number: int, attempt: int) -> bool:
        """Return whether *agent*, back after a lost connection, may go on with its trial."""
        with self._changed:
            return not self._killed and self._lease(agent, number, attempt) is not None

    def beat(self, agent: str, number: int, attempt: int, lines: list[str], skipped: int) -> bool:
        """Take a sign of life with new log lines; return whether the trial is to go on."""
        with self._changed:
            lease = self._lease(agent, number, attempt)
        if lease is None:
            return False
        if lines or skipped:
            self.events.put(Logged(lease.trial, lines, skipped))
        return not self._killed

    def report(self, agent: str, number: int, attempt: int, report: dict[str, Any]) -> bool:
        """Take the end of a trial and publish it; return whether it was accepted."""
        lease = self.accept(agent, number, attempt, report)
        if lease is not None:
            self.publish(lease, report)
        return lease is not None

    def accept(self, agent: str, number: int, attempt: int, report: dict[str, Any]) -> Lease | None:
        """Take the end of a trial, for `publish`; `None` if it does not count."""
        with self._changed:
            lease = self._lease(agent, number, attempt)
            if lease is None:
                return None
            if report["state"] == "LOST":
                self._lose(lease, report["error"])
                return None
            lease.accepted = True
            return lease

    def publish(self, lease: Lease, report: dict[str, Any]) -> None:
        """Bring an accepted trial to its place; it counts when it is on the disk there."""
        try:
            outcome = self._publisher.publish(lease, report)
        except BaseException:
            lease.accepted = False
            raise
        with self._changed:
            self._settle(lease, outcome)

    # -- with the lock held ---------------------------------------------------------------------

    def _is_finished(self) -> bool:
        waiting = not self._exhausted and not self._stopped
        return not (waiting or self._again or self._leases)

    def _notify(self) -> None:
        self._changed.notify_all()
        if self._is_finished():
            self._over.set()

    def _running(self) -> list[Lease]:
        return [lease for lease in self._leases.values() if not lease.accepted]

    def _give_up_waiting(self, agent: str, reason: str) -> None:
        del self._gone_since[agent]
        self._take_back(reason, agent.__eq__)

    def _take_back(self, reason: str, concerns: Callable[[str], bool]) -> None:
        for lease in self._running():
            if concerns(lease.agent):
                self._lose(lease, reason)

    def _take(self) -> tuple[Trial, int] | None:
        if len(self._running()) >= self._at_once:
            return None
        if self._again:
            lost = self._again.popleft()
            return lost.trial, lost.attempt + 1
        if self._exhausted or self._stopped:
            return None
        try:
            parameters = self._search.ask()
        except StopIteration:
            self._exhausted = True
            self._notify()
            return None
        return None if parameters is None else (self._made(parameters), 1)

    def _made(self, parameters: dict[str, Any]) -> Trial:
        name = trial_name(parameters, self._names)
        self._names.add(name)
        place = f"{self._directory}/{name}" if name else self._directory
        trial = Trial(number=self._asked, name=name, parameters=parameters or None, directory=place)
        self._asked += 1
        return trial

    def _lend(self, trial: Trial, attempt: int, agent: str) -> Lease:
        place = attempt_directory(self._directory, trial.number, attempt)
        lease = Lease(trial, attempt, agent, place, time.time())
        self._leases[trial.number] = lease
        self.events.put(Started(trial, place))
        return lease

    def _lease(self, agent: str, number: int, attempt: int) -> Lease | None:
        lease = self._leases.get(number)
        if lease is None or lease.accepted or (lease.agent, lease.attempt) != (agent, attempt):
            return None
        return lease

    def _lose(self, lease: Lease, reason: str) -> None:
        if lease.attempt < MAX_ATTEMPTS and not self._stopped:
            del self._leases[lease.trial.number]
            self._again.append(lease)
            name = lease.trial.name or "the trial"
            last_line = reason.partition("\n\nHint: ")[0].strip().rpartition("\n")[2]
            self.events.put(Noted(f"{name} was lost and is run again: {last_line}"))
            self._changed.notify_all()
        else:
            often = f" {lease.attempt} times, the last time" if lease.attempt > 1 else ""
            error = f"The trial was lost{often}: {reason}"
            self._give_up(lease, State.FAILED, error)

    def _give_up(self, lease: Lease, state: State, error: str) -> None:
        seconds = max(0.0, time.time() - lease.started)
        report = {"state": state, "error": error, "traceback": None, "seconds": seconds}
        lease.accepted = True
        self._settle(lease, self._publisher.publish(lease, report))

    def _settle(self, lease: Lease, outcome: Outcome) -> None:
        self._search.tell(lease.trial.parameters or {}, outcome.metric)
        self._leases.pop(lease.trial.number, None)  # not there if it was to be run again
        self.outcomes.append(outcome)
        self.events.put(Ended(outcome))
        self._notify()


def _stands_for(agent: str, first: str) -> bool:
    """Whether *agent* is *first*, or was started in its place: it has a number behind the name."""
    return agent == first or agent.startswith(f"{first}.")
