"""A coordinator with everything around it faked: its search, its publisher, its clock."""

import queue
from collections import deque
from collections.abc import Iterable
from typing import Any

from hops.experiment.driver.coordinator import Coordinator
from hops.experiment.driver.events import Event
from hops.experiment.driver.lease import Lease
from hops.experiment.record import Outcome, State

PATIENCE_S = 20.0
GOOD: dict[str, Any] = {"state": "FINISHED", "error": None, "traceback": None, "seconds": 1.0}
LOST: dict[str, Any] = {**GOOD, "state": "LOST", "error": "killed by signal 9"}


class FakeSearch:
    """Gives its parameters one after the other, and waits where it is told to."""

    total = None

    def __init__(self, parameters: Iterable[dict[str, Any] | None]) -> None:
        self.rest = deque(parameters)
        self.told: list[tuple[dict[str, Any], float | None]] = []
        self.inside = 0

    def ask(self) -> dict[str, Any] | None:
        """Return the next; `None` stands for waiting until something is told."""
        self.inside += 1
        assert self.inside == 1, "two threads at a time"
        try:
            if not self.rest:
                raise StopIteration
            return self.rest.popleft() if self.rest[0] is not None else None
        finally:
            self.inside -= 1

    def tell(self, parameters: dict[str, Any], metric: float | None) -> None:
        """Remember, and go on."""
        self.told.append((parameters, metric))
        if self.rest and self.rest[0] is None:
            self.rest.popleft()


class FakePublisher:
    """Writes nothing, and remembers what it was given."""

    def __init__(self) -> None:
        self.published: list[tuple[int, int, str]] = []
        self.error: BaseException | None = None

    def publish(self, lease: Lease, report: dict[str, Any]) -> Outcome:
        """Accept the report as it is."""
        if self.error is not None:
            raise self.error
        self.published.append((lease.trial.number, lease.attempt, lease.directory))
        state = State(report["state"])
        return Outcome(
            trial=lease.trial,
            state=state,
            metric=report.get("metric"),
            error=report["error"],
            attempts=lease.attempt,
        )


class Bench:
    """A coordinator with everything around it."""

    def __init__(
        self, parameters: Iterable[dict[str, Any] | None], *, at_once: int | None = None
    ) -> None:
        self.search = FakeSearch(parameters)
        self.publisher = FakePublisher()
        self.now = 100.0
        self.coordinator = Coordinator(
            self.search,
            self.publisher,  # type: ignore[arg-type] # all that is asked of it
            directory="Experiments/run",
            at_once=at_once,
            clock=lambda: self.now,
        )

    def next(self, agent: str) -> Lease | None:
        """Ask for a trial, without waiting."""
        return self.coordinator.next(agent, 0)

    def lease(self, agent: str) -> Lease:
        """Ask for a trial, which must be there."""
        lease = self.next(agent)
        assert lease is not None
        return lease

    def report(self, lease: Lease, report: dict[str, Any] = GOOD) -> bool:
        """Report in the name of the agent that has the lease."""
        return self.coordinator.report(lease.agent, lease.trial.number, lease.attempt, report)

    def beat(self, lease: Lease) -> bool:
        """Give a sign of life in the name of the agent that has the lease."""
        return self.coordinator.beat(lease.agent, lease.trial.number, lease.attempt, [], 0)

    def resume(self, lease: Lease) -> bool:
        """Come back in the name of the agent that has the lease."""
        return self.coordinator.resume(lease.agent, lease.trial.number, lease.attempt)

    def events(self) -> list[Event]:
        """Return what has happened since the last call."""
        found: list[Event] = []
        while True:
            try:
                found.append(self.coordinator.events.get_nowait())
            except queue.Empty:
                return found

    @property
    def states(self) -> list[str]:
        """How the trials ended, in the order in which they did."""
        return [str(outcome.state) for outcome in self.coordinator.outcomes]


def three() -> Bench:
    """Return a run of three trials."""
    return Bench([{"a": 1}, {"a": 2}, {"a": 3}])
