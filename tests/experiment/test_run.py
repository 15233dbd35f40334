import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from driving import ENDED, PATIENCE_S, FailingSearch, cut, our_threads, until
from hops.experiment import wire
from hops.experiment.driver import agents as agents_module
from hops.experiment.driver import coordinator as coordinator_module
from hops.experiment.driver import server as server_module
from hops.experiment.driver.agents import Departure, Door, Invitation
from hops.experiment.driver.lease import Lease
from hops.experiment.driver.plan import Plan
from hops.experiment.driver.publisher import Publisher
from hops.experiment.driver.run import FRUITLESS_DEPARTURES, execute
from hops.experiment.driver.search.listed import ListedSearch
from hops.experiment.driver.server import Server
from hops.experiment.driver.service import Service
from hops.experiment.errors import AgentError, ProtocolError
from hops.experiment.record import Outcome
from hops.experiment.settings import Settings
from hops.experiment.worker import link as link_module
from hops.experiment.worker.link import Link
from hops.hdfs.store import current_store


class FakeEngine:
    """Starts agents as the test says."""

    name = "fake"
    host = "127.0.0.1"
    known_as: str | None = None
    shares_path = True
    application = "fake"
    headline = "fake engine"

    def __init__(self) -> None:
        self.invitation: Invitation
        self.polls = 0
        self.links: list[Link] = []

    def start(self, invitation: Invitation) -> None:
        """Remember where the driver is."""
        self.invitation = invitation

    def serve(self, service: Service, function: Callable[..., Any]) -> None:
        """Do nothing."""

    def poll(self) -> list[Departure]:
        """Return that nobody has ended."""
        self.polls += 1
        return []

    def news(self) -> list[str]:
        """Return that there is nothing to know."""
        return []

    def close(self) -> None:
        """End all agents."""
        for link in self.links:
            cut(link)

    def link(self, agent: str) -> Link:
        """Return the end of an agent that has been let in."""
        self.links.append(Link(self.invitation.address, self.invitation.token, agent))
        self.links[-1].connect()
        return self.links[-1]


class TestTheRun:
    """What the run makes of agents that do not work."""

    @pytest.fixture(autouse=True)
    def short_farewell(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Do not wait for agents that do not go."""
        monkeypatch.setattr(server_module, "FAREWELL_S", 0.05)

    def plan(self, search: Any = None) -> Plan:  # noqa: ANN401 - of any kind
        """Return a plan of three trials."""
        return Plan(
            function=print,
            search=search or ListedSearch([{"a": 1}, {"a": 2}, {"a": 3}]),
            kind="PARALLEL_EXPERIMENTS",
            name="no-name",
            description=None,
            space={"a": [1, 2, 3]},
            metric_key=None,
            direction=None,
            local_logdir=False,
            versioned_resources=(),
            settings=Settings.choose(verbose=False, tensorboard=False),
        )

    def execute(self, engine: FakeEngine, plan: Plan) -> None:
        """Run the plan, and see that nothing is left."""
        door: Door = agents_module.open_door(engine.host)
        engine.start(door.invitation)
        try:
            execute(plan, engine, door)
        finally:
            door.close()
            engine.close()
            until(lambda: not our_threads())

    def test_an_agent_of_another_version_ends_the_run(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The user is told what to install, and where."""

        class OldAgents(FakeEngine):
            """Starts agents that have another release."""

            def poll(self) -> list[Departure]:
                """Let one come."""
                with pytest.raises(ProtocolError):
                    self.link("old")
                return []

        monkeypatch.setattr(link_module, "versions", lambda: {"python": "3.1"})
        with pytest.raises(
            AgentError, match=r"(?s)A worker cannot run trials.*pip install"
        ) as caught:
            self.execute(OldAgents(), self.plan())
        assert "has python 3.1" in str(caught.value)

    def test_a_host_that_cannot_run_trials_is_told_of(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Once, where other agents can: the run goes on with those."""

        class OneUnfit(FakeEngine):
            """Starts a good agent, and one that cannot run trials again and again."""

            def poll(self) -> list[Departure]:
                """Let the good one work, and the other one end."""
                self.polls += 1
                if self.polls == 1:
                    good = self.link("good")
                    frame = good.request({"type": "next"})
                    while frame.message["type"] == "trial":
                        identity = {key: frame.message[key] for key in ("number", "attempt")}
                        failed = {"state": "FAILED", "error": "boom", "traceback": None}
                        rest = {"seconds": 0.1, "lines": [], "skipped": 0}
                        frame = good.request({"type": "ended", **identity, **failed, **rest})
                unfit = "On node7: no hops\n\nHint: install it"
                return [Departure(f"agent-{self.polls}", unfit, is_final=True)] * 2

        plan = self.plan()
        self.execute(OneUnfit(), plan._replace(settings=Settings.choose(tensorboard=False)))
        assert capsys.readouterr().out.count("A worker cannot run trials. On node7: no hops") == 1

    @pytest.mark.parametrize("begun", [0, 1])
    def test_agents_that_always_end_end_the_run(self, project: Path, begun: int) -> None:
        """But not as long as a trial runs; what it had done is recorded as ended."""

        class DyingAgents(FakeEngine):
            """Starts agents that end before they ask for anything, but for the first."""

            def poll(self) -> list[Departure]:
                """Say that another one has ended."""
                self.polls += 1
                if self.polls <= begun:
                    lease = self.link("good").request({"type": "next"}).message
                    assert lease["type"] == "trial"
                if self.polls > 2 * FRUITLESS_DEPARTURES:
                    self.close()
                return [Departure(f"agent-{self.polls}", "it ended with 1: no space left")]

        engine = DyingAgents()
        with pytest.raises(AgentError, match=r"No worker could be started.*no space left"):
            self.execute(engine, self.plan())
        expected = 2 * FRUITLESS_DEPARTURES if begun else FRUITLESS_DEPARTURES
        assert begun or engine.polls == expected
        assert engine.polls >= expected
        (run,) = (project / "Experiments").iterdir()
        assert '"state": "FAILED"' in (run / ".experiment.json").read_text()
        assert (run / ".summary.json").read_text().count("The run was ended.") == begun

    def test_agents_that_had_work_may_end(self) -> None:
        """However many do: their trials are run again, as often as may be."""

        class WorkingAgents(FakeEngine):
            """Starts agents that end while they run a trial."""

            def poll(self) -> list[Departure]:
                """Let one take a trial, and end."""
                self.polls += 1
                name = f"agent-{self.polls}"
                link = self.link(name)
                attempts.append(link.request({"type": "next"}).message.get("attempt"))
                cut(link)
                return [Departure(name, "it was killed")]

        attempts: list[int | None] = []
        self.execute(WorkingAgents(), self.plan())
        assert Counter(attempts[:-1]) == {1: 3, 2: 3, 3: 3}
        assert attempts[-1] is None

    def test_a_connection_that_is_lost_for_good_loses_only_time(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The trial of an agent that lives and cannot be reached is run again by another."""
        monkeypatch.setattr(coordinator_module, "RECONNECT_S", -1.0)
        deadline = time.monotonic() + PATIENCE_S
        attempts: dict[int, int] = {}

        class Agents(FakeEngine):
            """Starts one agent that is lost with its trial, and then one that works."""

            def poll(self) -> list[Departure]:
                """Say that nobody has ended."""
                assert time.monotonic() < deadline, "the trial was not run again"
                self.polls += 1
                if self.polls == 1:
                    assert self.link("lost").request({"type": "next"}).message["number"] == 0
                    cut(self.links[0])
                    threading.Thread(target=work, args=[self.link("good")]).start()
                return []

        def work(link: Link) -> None:
            lease = link.request({"type": "next"}).message
            while lease["type"] != "done":
                if lease["type"] == "wait":
                    lease = link.request({"type": "next"}).message
                    continue
                identity = {"number": lease["number"], "attempt": lease["attempt"]}
                attempts[lease["number"]] = lease["attempt"]
                current_store().publish(f"{lease['directory']}/.outputs.json", b'{"metric": 7}')
                lease = link.request({**ENDED, **identity}).message

        self.execute(Agents(), self.plan())
        assert attempts == {0: 2, 1: 1, 2: 1}
        (run,) = (project / "Experiments").iterdir()
        assert len(list(run.glob("a=*/.outputs.json"))) == 3

    def test_a_result_survives_an_error_in_the_search(self, project: Path) -> None:
        """What was reported before the search failed is in its place, and in the summary."""

        class Once(FailingSearch):
            """Gives one trial before it fails."""

            def __init__(self) -> None:
                self.asked = 0

            def ask(self) -> dict[str, Any] | None:
                """Fail the second time."""
                self.asked += 1
                return {"a": 1} if self.asked == 1 else super().ask()

        class Agents(FakeEngine):
            """Starts one agent."""

            def poll(self) -> list[Departure]:
                """Let it run the trial, and ask for another."""
                self.polls += 1
                if self.polls == 1:
                    link = self.link("x")
                    directory = link.request({"type": "next"}).message["directory"]
                    current_store().publish(f"{directory}/.outputs.json", b'{"metric": 7}')
                    with pytest.raises(wire.Closed):
                        link.request({**ENDED, "number": 0, "attempt": 1})
                return []

        with pytest.raises(ZeroDivisionError):
            self.execute(Agents(), self.plan(Once()))
        (run,) = (project / "Experiments").iterdir()
        assert json.loads((run / ".summary.json").read_text()) == {
            "combinations": [{"parameters": {"a": 1}, "outputs": {"metric": 7}}]
        }
        assert (run / "a=1/.outputs.json").exists()

    def test_an_error_in_the_search_is_raised(self) -> None:
        """It comes to the caller, although it was met in another thread."""

        class Agents(FakeEngine):
            """Starts one agent."""

            def poll(self) -> list[Departure]:
                """Let it ask."""
                self.polls += 1
                if self.polls == 1:
                    with pytest.raises(wire.Closed):
                        self.link("x").request({"type": "next"})
                return []

        with pytest.raises(ZeroDivisionError):
            self.execute(Agents(), self.plan(FailingSearch()))

    def test_what_was_reported_in_time_belongs_to_the_result(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A trial that is still being published when the run fails is in its summary."""
        monkeypatch.setattr(server_module, "FAREWELL_S", PATIENCE_S)
        publishing, ending = threading.Event(), threading.Event()
        publish, close = Publisher.publish, Server.close

        def slow_publish(publisher: Publisher, lease: Lease, report: dict[str, Any]) -> Outcome:
            if lease.trial.number == 0:
                publishing.set()
                ending.wait(PATIENCE_S)
            return publish(publisher, lease, report)

        def told_close(server: Server) -> None:
            ending.set()
            close(server)

        class Agents(FakeEngine):
            """Starts one agent, and fails while its trial is being published."""

            def poll(self) -> list[Departure]:
                """Let it run a trial."""
                link = self.link("x")
                lease = link.request({"type": "next"}).message
                store = current_store()
                store.publish(f"{lease['directory']}/.outputs.json", b'{"metric": 7}')
                link.ask({**ENDED, "number": 0, "attempt": 1})
                publishing.wait(PATIENCE_S)
                cut(link)
                raise ZeroDivisionError

        monkeypatch.setattr(Publisher, "publish", slow_publish)
        monkeypatch.setattr(Server, "close", told_close)
        with pytest.raises(ZeroDivisionError):
            self.execute(Agents(), self.plan())

        (run,) = (project / "Experiments").iterdir()
        summary = json.loads((run / ".summary.json").read_text())
        outputs = [combination["outputs"] for combination in summary["combinations"]]
        assert {"metric": 7} in outputs
