import threading
from collections import Counter

import pytest

from coordination import GOOD, LOST, PATIENCE_S, Bench
from hops.experiment.driver.events import Ended, Noted, Started
from hops.experiment.driver.lease import Lease


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
