from typing import Any

import pytest

from coordination import GOOD, LOST, Bench, three
from hops.experiment.driver.coordinator import MAX_ATTEMPTS, RECONNECT_S
from hops.experiment.driver.events import Ended, Logged, Noted, Started
from hops.experiment.driver.lease import Lease
from hops.experiment.record import Outcome, State


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
        assert bench.coordinator.agents == 1

    def test_no_more_trials_run_at_a_time_than_asked_for(self) -> None:
        """An agent too many waits, and takes over when another one is lost or has ended."""
        bench = Bench([{"a": 1}, {"a": 2}, {"a": 3}], at_once=1)
        first = bench.lease("x")
        assert bench.next("x.1") is None

        bench.report(first, GOOD)
        second = bench.lease("x.1")
        assert bench.next("x") is None

        bench.coordinator.lose("x.1", "killed")
        assert (bench.lease("x").trial, second.trial.number) == (second.trial, 1)


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

    def test_an_agent_takes_those_in_its_place_along(self) -> None:
        """They have its name and a number behind it; another name that begins so is another."""
        bench = Bench([{"a": 1}, {"a": 2}, {"a": 3}])
        here, anew, other = (bench.lease(agent) for agent in ("x-1", "x-1.1", "x-11"))
        bench.coordinator.lose("x-1", "its executor was lost")

        assert [bench.beat(lease) for lease in (here, anew, other)] == [False, False, True]
        assert bench.coordinator.has_asked("x-1")
        assert not bench.coordinator.has_asked("x")

    def test_one_started_anew_keeps_its_trial_when_the_first_comes_back(self) -> None:
        """What is lost is the trial of the agent that asks, not of the one in its place."""
        bench = Bench([{"a": 1}, {"a": 2}])
        anew = bench.lease("x.1")

        assert bench.lease("x").trial.number == 1
        assert bench.beat(anew)

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

    def test_one_started_anew_is_not_waited_for(self) -> None:
        """When an agent comes in the place of one that is gone, the trial of that one is free."""
        bench = Bench([{"a": 1}])
        bench.coordinator.connected("x")
        lost = bench.lease("x")
        bench.coordinator.disconnected("x")
        bench.coordinator.connected("y")
        assert bench.beat(lost), "another agent is no sign"

        bench.coordinator.connected("x.1")
        assert bench.lease("x.1").attempt == 2
        assert not bench.beat(lost)

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
