import queue
import threading
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

import pytest

from hops.experiment.driver.coordinator import (
    MAX_ATTEMPTS,
    RECONNECT_S,
    Coordinator,
    Ended,
    Event,
    Lease,
    Logged,
    Noted,
    Started,
)
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

    def __init__(self, parameters: Iterable[dict[str, Any] | None]) -> None:
        self.search = FakeSearch(parameters)
        self.publisher = FakePublisher()
        self.now = 100.0
        self.coordinator = Coordinator(
            self.search,
            self.publisher,  # type: ignore[arg-type] # all that is asked of it
            directory="Experiments/run",
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


class TestLeases:
    """Who runs what, and what counts."""

    def test_trials_are_handed_out_in_order(self) -> None:
        """Each has its number, its name, its place, and a directory for its first attempt."""
        bench = three()
        leases = [bench.lease(agent) for agent in "xyz"]

        assert [lease.trial.number for lease in leases] == [0, 1, 2]
        assert [lease.trial.parameters for lease in leases] == [{"a": 1}, {"a": 2}, {"a": 3}]
        assert leases[1].trial.name == "a=2"
        assert leases[1].trial.directory == "Experiments/run/a=2"
        assert leases[1].directory == "Experiments/run/.attempts/000001.1"
        assert bench.next("w") is None

    def test_equal_parameters_are_two_trials(self) -> None:
        """Each has a name of its own."""
        bench = Bench([{"a": 1}, {"a": 1}])

        assert [bench.lease(agent).trial.name for agent in "xy"] == ["a=1", "a=1~2"]

    def test_a_trial_without_parameters_is_the_run_itself(self) -> None:
        """It has no name, and is kept in the run's directory."""
        trial = Bench([{}]).lease("x").trial

        assert (trial.name, trial.parameters, trial.directory) == ("", None, "Experiments/run")

    def test_a_report_ends_its_trial(self) -> None:
        """It is published, told to the search, and listed; then the run is over."""
        bench = Bench([{"a": 1}])
        lease = bench.lease("x")
        assert not bench.coordinator.is_finished

        assert bench.report(lease, {**GOOD, "metric": 0.5})

        assert bench.publisher.published == [(0, 1, lease.directory)]
        assert bench.search.told == [({"a": 1}, 0.5)]
        assert bench.states == ["FINISHED"]
        assert not bench.coordinator.is_finished, "the search has not said that this was all"
        assert bench.next("x") is None
        assert bench.coordinator.is_finished

    def test_a_failed_trial_is_not_tried_again(self) -> None:
        """The function's own failure is a result."""
        bench = Bench([{"a": 1}])
        bench.report(bench.lease("x"), {**GOOD, "state": "FAILED", "error": "ValueError: boom"})

        assert bench.next("x") is None
        assert bench.states == ["FAILED"]
        assert bench.search.told == [({"a": 1}, None)]

    @pytest.mark.parametrize(
        ("agent", "number", "attempt"), [("y", 0, 1), ("x", 1, 1), ("x", 0, 2), ("x", 0, 0)]
    )
    def test_only_the_lease_in_force_counts(self, agent: str, number: int, attempt: int) -> None:
        """Another agent, trial or attempt changes nothing, and is told to stop."""
        bench = three()
        bench.lease("x")
        bench.events()

        assert not bench.coordinator.report(agent, number, attempt, GOOD)
        assert not bench.coordinator.beat(agent, number, attempt, ["line"], 1)
        assert not bench.coordinator.resume(agent, number, attempt)
        assert bench.events() == []
        assert bench.publisher.published == []

    def test_a_second_report_changes_nothing(self) -> None:
        """The first one is on disk."""
        bench = three()
        lease = bench.lease("x")

        assert bench.report(lease)
        assert not bench.report(lease, {**GOOD, "state": "FAILED", "error": "late"})
        assert bench.states == ["FINISHED"]

    def test_a_lease_whose_answer_was_lost_is_not_lost(self) -> None:
        """An agent that asks has no trial: the one it holds never came to it, and runs again."""
        bench = Bench([{"a": 1}])
        unheard = bench.lease("x")
        again = bench.lease("x")

        assert (again.trial, again.attempt) == (unheard.trial, 2)
        assert again.directory != unheard.directory
        assert not bench.report(unheard)
        assert bench.report(again)
        assert bench.next("x") is None
        assert bench.coordinator.is_finished

    def test_a_report_that_cannot_be_published_leaves_the_trial(self) -> None:
        """Whatever went wrong is raised, and the run does not wait for the trial for ever."""
        bench = Bench([{"a": 1}])
        lease = bench.lease("x")
        bench.publisher.error = KeyboardInterrupt()
        with pytest.raises(KeyboardInterrupt):
            bench.report(lease)

        bench.publisher.error = None
        bench.coordinator.kill()
        assert bench.states == ["KILLED"]
        assert bench.coordinator.is_finished

    def test_what_happens_is_told(self) -> None:
        """In order, each once."""
        bench = Bench([{"a": 1}])
        lease = bench.lease("x")
        assert bench.beat(lease)
        assert bench.coordinator.beat("x", 0, 1, ["one", "two"], 3)
        bench.report(lease)

        outcome = bench.coordinator.outcomes[0]
        assert bench.events() == [
            Started(lease.trial, lease.directory),
            Logged(lease.trial, ["one", "two"], 3),
            Ended(outcome),
        ]

    def test_who_has_asked_is_known(self) -> None:
        """Also if there was nothing for it."""
        bench = Bench([])
        assert not bench.coordinator.has_asked("x")

        bench.next("x")
        assert bench.coordinator.has_asked("x")


class TestLoss:
    """Agents and processes that end, and connections that break."""

    def test_the_trial_of_a_lost_agent_is_run_again(self) -> None:
        """By whoever asks next, before new ones, in a directory of its own."""
        bench = three()
        lost = bench.lease("x")
        kept = bench.lease("y")
        bench.coordinator.lose("x", "said this\nit was killed by signal 9")

        again = bench.lease("z")
        assert (again.trial, again.attempt) == (lost.trial, 2)
        assert again.directory == "Experiments/run/.attempts/000000.2"
        assert not bench.beat(lost)
        assert bench.beat(kept)
        notes = [event.text for event in bench.events() if isinstance(event, Noted)]
        assert notes == ["a=1 was lost and is run again: it was killed by signal 9"]

    def test_a_killed_process_is_run_again(self) -> None:
        """The agent that reports it goes on."""
        bench = Bench([{"a": 1}])

        assert not bench.report(bench.lease("x"), LOST)
        assert bench.lease("x").attempt == 2

    @pytest.mark.parametrize("by_report", [True, False])
    def test_a_trial_that_is_always_lost_has_failed(self, by_report: bool) -> None:  # noqa: FBT001 - a parameter
        """After the last attempt, with the reason of that one."""
        bench = Bench([{"a": 1}])
        for attempt in range(1, MAX_ATTEMPTS + 1):
            lease = bench.lease("x")
            assert lease.attempt == attempt
            if by_report:
                bench.report(lease, LOST)
            else:
                bench.coordinator.lose("x", LOST["error"])

        assert bench.next("x") is None
        assert bench.coordinator.is_finished
        (outcome,) = bench.coordinator.outcomes
        assert (outcome.state, outcome.attempts) == (State.FAILED, MAX_ATTEMPTS)
        assert outcome.error == "The trial was lost 3 times, the last time: killed by signal 9"
        assert bench.search.told == [({"a": 1}, None)]

    def test_an_agent_without_a_trial_is_no_loss(self) -> None:
        """Also one that nobody knows."""
        bench = three()
        bench.coordinator.lose("nobody", "it ended")

        assert bench.events() == []

    def test_a_lost_connection_may_come_back(self) -> None:
        """In time, the trial goes on as if nothing had happened."""
        bench = three()
        bench.coordinator.connected("x")
        lease = bench.lease("x")
        bench.coordinator.disconnected("x")
        bench.now += RECONNECT_S
        bench.coordinator.expire()
        bench.coordinator.connected("x")
        bench.now += 1000
        bench.coordinator.expire()

        assert bench.resume(lease)
        assert bench.beat(lease)
        assert bench.report(lease)

    def test_a_connection_that_stays_away_loses_its_trial(self) -> None:
        """What the agent says or reports when it comes back later counts no more."""
        bench = three()
        bench.coordinator.connected("x")
        lease = bench.lease("x")
        bench.coordinator.disconnected("x")
        bench.now += RECONNECT_S + 0.1
        bench.coordinator.expire()
        again = bench.lease("y")
        bench.coordinator.connected("x")

        assert again.trial == lease.trial
        assert not bench.resume(lease)
        assert not bench.report(lease)
        assert bench.report(again)
        assert bench.lease("x").trial.number == 1

    def test_an_old_connection_that_ends_late_loses_nothing(self) -> None:
        """The agent has come back on another one meanwhile."""
        bench = three()
        bench.coordinator.connected("x")
        lease = bench.lease("x")
        bench.coordinator.connected("x")
        bench.coordinator.disconnected("x")
        bench.now += 1000
        bench.coordinator.expire()

        assert bench.beat(lease)
        bench.coordinator.disconnected("x")
        bench.now += 1000
        bench.coordinator.expire()
        assert not bench.beat(lease)


class TestEnds:
    """Stopping, killing, and being finished."""

    def test_a_run_without_trials_is_finished_when_somebody_asks(self) -> None:
        """Then it is known that there are none."""
        bench = Bench([])
        assert bench.next("x") is None

        assert bench.coordinator.is_finished

    def test_stopping_lets_running_trials_end(self) -> None:
        """Nothing new is begun, and what runs counts."""
        bench = three()
        lease = bench.lease("x")
        bench.coordinator.stop()

        assert bench.next("y") is None
        assert bench.beat(lease)
        assert bench.resume(lease)
        assert not bench.coordinator.is_finished
        assert bench.report(lease)
        assert bench.coordinator.is_finished
        assert bench.states == ["FINISHED"]

    def test_stopping_before_the_first_trial(self) -> None:
        """The run is over at once."""
        bench = three()
        bench.coordinator.stop()
        assert bench.coordinator.is_finished

    def test_a_trial_that_is_lost_after_stopping_is_not_run_again(self) -> None:
        """It has failed, with the reason."""
        bench = three()
        lease = bench.lease("x")
        bench.coordinator.stop()
        bench.coordinator.lose("x", "it ended")

        assert bench.coordinator.is_finished
        assert bench.coordinator.outcomes[0].error == "The trial was lost: it ended"
        assert not bench.report(lease)

    def test_a_trial_that_waits_to_be_run_again_is_not_forgotten(self) -> None:
        """Stopping ends it, with the files of the attempt that was lost."""
        bench = three()
        lease = bench.lease("x")
        bench.coordinator.lose("x", "it ended")
        bench.coordinator.stop()

        assert bench.coordinator.is_finished
        assert bench.states == ["KILLED"]
        assert bench.publisher.published == [(0, 1, lease.directory)]
        assert bench.search.told == [({"a": 1}, None)]

    def test_killing_ends_what_runs(self) -> None:
        """Agents are told to stop; what they report then changes nothing."""
        bench = three()
        leases = [bench.lease("x"), bench.lease("y")]
        bench.coordinator.kill()

        assert bench.coordinator.is_finished
        assert bench.states == ["KILLED", "KILLED"]
        for lease in leases:
            assert not bench.beat(lease)
            assert not bench.resume(lease)
            assert not bench.report(lease)
        assert bench.next("x") is None
        bench.coordinator.kill()
        assert len(bench.coordinator.outcomes) == 2

    def test_what_is_being_published_is_neither_lost_nor_killed(self) -> None:
        """A report that came in time counts, whatever happens until it is on disk."""
        bench = three()
        lease = bench.lease("x")
        publish = bench.publisher.publish

        def interrupted(lease: Lease, report: dict[str, Any]) -> Outcome:
            bench.coordinator.lose("x", "it ended")
            bench.coordinator.kill()
            assert not bench.coordinator.is_finished
            return publish(lease, report)

        bench.publisher.publish = interrupted  # type: ignore[method-assign] # for this test
        assert bench.report(lease)
        assert bench.states == ["FINISHED"]
        assert bench.coordinator.is_finished

    def test_a_search_that_waits(self) -> None:
        """An agent gets nothing until a result has come, and the run is not over."""
        bench = Bench([{"a": 1}, None, {"a": 2}])
        lease = bench.lease("x")
        assert bench.next("y") is None
        assert not bench.coordinator.is_finished

        bench.report(lease)
        assert bench.lease("y").trial.parameters == {"a": 2}


class TestThreads:
    """Any thread may call any method."""

    def waiting(self, bench: Bench, agent: str) -> tuple[threading.Thread, list[Lease | None]]:
        """Start an agent that waits for a trial."""
        found: list[Lease | None] = []
        thread = threading.Thread(
            target=lambda: found.append(bench.coordinator.next(agent, PATIENCE_S)), daemon=True
        )
        thread.start()
        return thread, found

    @pytest.mark.parametrize(
        "event", ["told", "lost", "finished", "stopped", "killed", "exhausted"]
    )
    def test_a_waiting_agent_is_woken(self, event: str) -> None:
        """By a new trial, by a lost one, and by the end."""
        rest = [{"a": 2}] if event == "told" else []
        bench = Bench([{"a": 1}, None, *rest])
        lease = bench.lease("x")
        thread, found = self.waiting(bench, "y")
        if event == "lost":
            bench.coordinator.lose("x", "it ended")
        if event == "killed":
            bench.coordinator.kill()
        if event == "stopped":
            bench.coordinator.stop()
        if event in {"told", "finished", "stopped", "exhausted"}:
            bench.report(lease)
        if event == "exhausted":
            bench.next("z")
        thread.join(PATIENCE_S)

        assert not thread.is_alive()
        numbers = [lease and lease.trial.number for lease in found]
        assert numbers == {"told": [1], "lost": [0]}.get(event, [None])

    def test_waiting_has_an_end(self) -> None:
        """An agent that waits in vain is told so, and may ask again."""
        bench = Bench([{"a": 1}, None])
        bench.lease("x")

        assert bench.coordinator.next("y", 0.01) is None
        assert not bench.coordinator.is_finished

    def test_each_trial_is_settled_exactly_once(self) -> None:
        """Whatever agents lose, report twice, or report for others, from many threads at once."""
        trials, agents = 2000, 16
        bench = Bench([{"a": number} for number in range(trials)])
        errors: list[BaseException] = []

        def work(agent: str, turn: int) -> None:
            while not bench.coordinator.is_finished:
                lease = bench.coordinator.next(agent, 0.01)
                if lease is None:
                    continue
                turn += 1
                if turn % 7 == 0 and lease.attempt == 1:
                    bench.coordinator.lose(agent, "it ended")
                elif turn % 11 == 0 and lease.attempt == 1:
                    bench.report(lease, LOST)
                bench.beat(lease)
                bench.report(lease)
                bench.report(lease)
                bench.coordinator.report("other", lease.trial.number, lease.attempt, GOOD)

        def guarded(agent: str, turn: int) -> None:
            try:
                work(agent, turn)
            except BaseException as error:  # noqa: BLE001 - the test looks at it
                errors.append(error)

        threads = [
            threading.Thread(target=guarded, args=(f"agent-{n}", n), daemon=True)
            for n in range(agents)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        assert errors == []
        assert bench.coordinator.is_finished
        ended = Counter(outcome.trial.number for outcome in bench.coordinator.outcomes)
        assert ended == Counter(range(trials))
        published = Counter(number for number, _, _ in bench.publisher.published)
        assert published == ended
        assert set(bench.states) == {"FINISHED"}
        assert len(bench.search.told) == trials
        events = Counter(type(event) for event in bench.events())
        assert events[Ended] == trials
        assert events[Started] == trials + events[Noted]
