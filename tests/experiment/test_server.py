import errno
import os
import pickle
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from hops.experiment import versions as versions_module
from hops.experiment import wire
from hops.experiment.driver import agents as agents_module
from hops.experiment.driver import coordinator as coordinator_module
from hops.experiment.driver import server as server_module
from hops.experiment.driver import service as service_module
from hops.experiment.driver.agents import Departure, Door, Invitation, open_door
from hops.experiment.driver.coordinator import Coordinator, Lease, Logged
from hops.experiment.driver.plan import Plan
from hops.experiment.driver.run import FRUITLESS_DEPARTURES, execute
from hops.experiment.driver.search.listed import ListedSearch
from hops.experiment.driver.server import Server
from hops.experiment.driver.service import Service
from hops.experiment.errors import AgentError, ProtocolError
from hops.experiment.record import Outcome, State
from hops.experiment.settings import Settings
from hops.experiment.worker import link as link_module
from hops.experiment.worker.link import Link

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S = 20.0
WELCOME = {"run_id": "run", "isolation": "process"}
ENDED: dict[str, Any] = {
    "type": "ended",
    "state": "FINISHED",
    "error": None,
    "traceback": None,
    "seconds": 1.0,
    "lines": [],
    "skipped": 0,
}


class FakePublisher:
    """Accepts every report as it is."""

    def publish(self, lease: Lease, report: dict[str, Any]) -> Outcome:
        """Write nothing."""
        state = State(report["state"])
        return Outcome(trial=lease.trial, state=state, error=report["error"])


class FailingSearch:
    """A search with an error in it."""

    total = None

    def ask(self) -> dict[str, Any] | None:
        """Fail."""
        raise ZeroDivisionError

    def tell(self, parameters: dict[str, Any], metric: float | None) -> None:
        """Learn nothing."""


class Run:
    """A driver that answers agents, without the rest of a run."""

    def __init__(self, *, tls: tuple[ssl.SSLContext, str] | None = None) -> None:
        self.door = open_door("127.0.0.1")
        self.tls = tls
        parameters: list[dict[str, Any]] = [{"a": 1}, {"a": [2, {3}]}, {"a": 3}]
        self.coordinator = Coordinator(
            ListedSearch(parameters),
            FakePublisher(),  # type: ignore[arg-type] # all that is asked of it
            directory="Experiments/run",
        )
        self.service = Service(self.coordinator, WELCOME, b"0123456789")
        self.server = Server(
            self.door.listener, self.door.invitation.token, tls=tls[0] if tls else None
        )
        self.links: list[Link] = []

    def start(self) -> None:
        """Answer from now on."""
        self.server.start(self.service)

    def link(self, agent: str = "x", **changes: Any) -> Link:  # noqa: ANN401 - the arguments of a link
        """Return the end of an agent, which is not connected yet."""
        arguments: dict[str, Any] = {
            "address": self.door.invitation.address,
            "token": self.door.invitation.token,
            "certificate": self.tls[1] if self.tls else None,
        }
        self.links.append(Link(agent=agent, **arguments | changes))
        return self.links[-1]

    def connected(self, agent: str = "x") -> Link:
        """Return the end of an agent that has been let in."""
        link = self.link(agent)
        assert link.connect() == WELCOME
        return link

    def stranger(self) -> socket.socket:
        """Return a connection that has said nothing yet."""
        sock = socket.create_connection(self.door.invitation.address, timeout=PATIENCE_S)
        sock.settimeout(PATIENCE_S)
        return sock

    def close(self) -> None:
        """End it."""
        self.coordinator.kill()
        for link in self.links:
            cut(link)
        self.server.close()


def cut(link: Link) -> None:
    """Break the connection of an agent, if it has one."""
    if hasattr(link, "_connection"):
        link._connection.close()  # noqa: SLF001 - as if the network did it


def until(condition: Callable[[], object]) -> None:
    """Wait for what another thread does."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.001)


def our_threads() -> list[str]:
    """Return the names of the driver's threads."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("hops-")]


def is_closed(sock: socket.socket) -> bool:
    """Wait for the other end to close the connection."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.fixture
def drivers() -> Iterator[Callable[..., Run]]:
    """Return what makes a driver that does not answer yet; nothing of any is left afterwards."""
    made: list[Run] = []

    def make(**arguments: Any) -> Run:  # noqa: ANN401 - of a run
        made.append(Run(**arguments))
        return made[-1]

    yield make
    for run in made:
        run.close()
    until(lambda: not our_threads())


@pytest.fixture
def run(drivers: Callable[..., Run]) -> Run:
    """Return a driver that answers."""
    run = drivers()
    run.start()
    return run


class TestMessages:
    """What agents ask, and what they are answered."""

    def test_a_run_as_an_agent_sees_it(self, run: Run) -> None:
        """It fetches trials with their values, reports them, and is told when it is done."""
        link = run.connected()
        lease, parameters = link.request({"type": "next"})
        assert lease == {
            "type": "trial",
            "number": 0,
            "attempt": 1,
            "name": "a=1",
            "directory": "Experiments/run/.attempts/000000.1",
            "kept_as": "Experiments/run/a=1",
            "hparams": {"a": 1},
        }
        assert pickle.loads(parameters) == {"a": 1}

        lease, parameters = link.request({**ENDED, "number": 0, "attempt": 1})
        assert lease["hparams"] == {"a": [2, "{3}"]}
        assert pickle.loads(parameters) == {"a": [2, {3}]}
        lease, _ = link.request({**ENDED, "number": 1, "attempt": 1})
        assert link.request({**ENDED, "number": 2, "attempt": 1}) == ({"type": "done"}, b"")
        assert [outcome.state for outcome in run.coordinator.outcomes] == ["FINISHED"] * 3

    @pytest.mark.parametrize("size_bytes", [1, 3, 10, 100])
    def test_the_function_comes_in_parts(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, size_bytes: int
    ) -> None:
        """However large it is; the part behind its end is empty."""
        monkeypatch.setattr(service_module, "FUNCTION_PART_BYTES", size_bytes)
        link = run.connected()
        data = b""
        while part := link.request({"type": "function", "offset": len(data)}).blob:
            assert len(part) <= size_bytes
            data += part

        assert data == b"0123456789"

    def test_signs_of_life(self, run: Run) -> None:
        """They bring log lines, and are answered with whether to go on."""
        link = run.connected()
        link.request({"type": "next"})
        beat: dict[str, Any] = {"type": "beat", "number": 0, "attempt": 1}

        assert link.request({**beat, "lines": ["one"], "skipped": 2}).message == {"go_on": True}
        run.coordinator.kill()
        assert link.request({**beat, "lines": [], "skipped": 0}).message == {"go_on": False}
        run.coordinator.events.get_nowait()
        logged = run.coordinator.events.get_nowait()
        assert isinstance(logged, Logged)
        assert (logged.lines, logged.skipped) == (["one"], 2)

    def test_the_last_lines_come_with_the_report(self, run: Run) -> None:
        """They are told before the end of the trial is."""
        link = run.connected()
        link.request({"type": "next"})
        link.request({**ENDED, "number": 0, "attempt": 1, "lines": ["last"], "skipped": 1})

        kinds = [type(run.coordinator.events.get_nowait()).__name__ for _ in range(3)]
        assert kinds == ["Started", "Logged", "Ended"]

    def test_waiting_is_answered_in_time(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        """An agent without work hears that it is to ask again, before silence is noticed."""
        monkeypatch.setattr(service_module, "WAIT_S", 0.01)
        busy, idle = run.connected("busy"), run.connected("idle")
        for _ in range(3):
            run.coordinator.next(f"other-{_}", 0)

        assert idle.request({"type": "next"}).message == {"type": "wait"}
        assert busy.request({"type": "next"}).message == {"type": "wait"}
        assert service_module.WAIT_S < link_module.SILENCE_S

    def test_an_agent_that_cannot_run_trials_says_so(self, run: Run) -> None:
        """The run learns why."""
        link = run.connected()
        message = {"type": "broken", "reason": "'torch' cannot be imported"}

        assert link.request(message).message == {"type": "done"}
        assert run.service.broken == "'torch' cannot be imported"

    @pytest.mark.parametrize("kind", ["unknown", "", None, 7, [], {"next": 1}])
    def test_a_message_that_no_agent_sends(self, run: Run, kind: object) -> None:
        """It ends the connection that it came over, and hurts nobody else."""
        link, other = run.connected("x"), run.connected("y")

        with pytest.raises(wire.Closed):
            link.request({"type": kind})
        assert other.request({"type": "next"}).message["type"] == "trial"
        assert run.server.failure is None

    def test_what_is_no_message_at_all(self, run: Run) -> None:
        """So does garbage from an agent that has proved itself, and a frame beyond the limit."""
        other = run.connected("y")
        for sent in (b"\0\0\0\2{]", b"\x7f\xff\xff\xff"):
            link = run.connected("x")
            link._connection.sock.sendall(sent)  # noqa: SLF001 - what no link sends
            with pytest.raises(wire.Closed):
                link.receive()

        assert other.request({"type": "next"}).message["type"] == "trial"
        assert run.server.failure is None

    def test_an_error_of_ours_is_kept_for_the_run(self, run: Run) -> None:
        """It ends the connection, and is not printed by a thread that nobody looks at."""
        run.coordinator._search = FailingSearch()  # noqa: SLF001 - from the next question on

        with pytest.raises(wire.Closed):
            run.connected().request({"type": "next"})
        assert isinstance(run.server.failure, ZeroDivisionError)


class TestVersions:
    """Agents of other releases."""

    @pytest.mark.parametrize("name", ["python", "hops", "cloudpickle"])
    def test_another_version_is_refused(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        """The agent and the run hear what is there, what is here, and what to install where."""
        ours = versions_module.versions()
        monkeypatch.setattr(link_module, "versions", lambda: ours | {name: "0.0.1"})
        monkeypatch.setattr(socket, "gethostname", lambda: "node-7")
        link = run.link()

        with pytest.raises(ProtocolError) as caught:
            link.connect()

        text = str(caught.value)
        assert f"The worker on node-7 has {name} 0.0.1; the driver has {name} {ours[name]}." in text
        assert f"on node-7, with Python {ours['python']}: pip install hops-experiment==" in text
        until(lambda: run.server.refusals)
        assert run.server.refusals == [text]

    def test_another_protocol_is_refused(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        """As any other version."""
        monkeypatch.setattr(server_module, "versions", versions_module.versions)
        link = run.link()
        monkeypatch.setitem(link._hello, "host", "node-7")  # noqa: SLF001 - what it says of itself
        hello = {**link._hello}  # noqa: SLF001
        sock = run.stranger()
        connection = wire.Connection(sock)
        token = run.door.invitation.token
        monkeypatch.setattr(wire, "PROTOCOL", 99)
        greeting = wire.encode({**hello, "protocol": 98, "nonce": "n"})
        connection.send_bytes(greeting)
        nonce = connection.receive(PATIENCE_S).message["nonce"]
        connection.send({"proof": wire._proof(token, b"agent", greeting, nonce)})  # noqa: SLF001

        refused = connection.receive(PATIENCE_S).message["refused"]
        assert "has protocol 98; the driver has protocol 99." in refused
        connection.close()

    def test_a_refused_agent_is_not_there(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        """The coordinator never hears of it, and others work on."""
        with monkeypatch.context() as patch:
            patch.setattr(link_module, "versions", dict)
            link = run.link("old")
        with pytest.raises(ProtocolError):
            link.connect()

        assert run.connected().request({"type": "next"}).message["type"] == "trial"
        assert not run.coordinator.has_asked("old")


class TestStrangers:
    """Peers that do not prove themselves."""

    def test_an_agent_of_another_run_is_turned_away(self, run: Run) -> None:
        """Its token is another, and it is told nothing."""
        with pytest.raises(ProtocolError, match="could not prove"):
            run.link(token=b"x" * 32).connect()

        assert run.server.refusals == []
        assert run.connected().request({"type": "next"}).message["type"] == "trial"

    @pytest.mark.parametrize(
        "sent",
        [b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\0", b"\0\0\0\2[]", b"\x7f\xff\xff\xff", os.urandom(64),
         b"\0\0\x0f\xa0" + b"[" * 4000],
    )  # fmt: skip
    def test_garbage_is_cut_off(self, run: Run, sent: bytes) -> None:
        """Without a word, and without a trace."""
        with run.stranger() as stranger:
            stranger.sendall(sent)
            with suppress(OSError):  # it has been cut off already
                stranger.shutdown(socket.SHUT_WR)
            assert is_closed(stranger)

        assert run.server.failure is None

    def test_who_says_nothing_is_cut_off(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        """When the time for the handshake is over."""
        monkeypatch.setattr(wire, "HANDSHAKE_S", 0.05)
        with run.stranger() as stranger:
            assert is_closed(stranger)

    def test_strangers_do_not_keep_agents_out_for_ever(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Only so many are let in at a time; who waits outside gets in when they are cut off."""
        monkeypatch.setattr(server_module, "STRANGERS", 2)
        monkeypatch.setattr(wire, "HANDSHAKE_S", 0.2)
        run = drivers()
        run.start()
        strangers = [run.stranger() for _ in range(5)]
        until(lambda: our_threads().count("hops-agent") == 2)

        agents = [run.link(f"agent-{n}") for n in range(5)]
        threads = [threading.Thread(target=agent.connect, daemon=True) for agent in agents]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)

        for agent in agents:
            assert agent.request({"type": "function", "offset": 0}).blob == b"0123456789"
        for stranger in strangers:
            assert is_closed(stranger)
            stranger.close()

    def test_many_agents_at_once_get_in(self) -> None:
        """Those who came before the driver was ready, and more of them than strangers may be."""
        run = drivers()
        agents = [run.link(f"agent-{n}") for n in range(2 * server_module.STRANGERS)]
        threads = [threading.Thread(target=agent.connect, daemon=True) for agent in agents]
        for thread in threads:
            thread.start()
        run.start()
        for thread in threads:
            thread.join(PATIENCE_S)

        assert all(agent.fileno() > 0 for agent in agents)
        run.close()

    def test_too_many_open_files_are_no_end(self) -> None:
        """When there are fewer again, agents are let in."""

        class Crowded:
            """A listener of a process that has too many files open at first."""

            def __init__(self, listener: socket.socket) -> None:
                self.listener = listener
                self.errors = [errno.EMFILE, errno.ECONNABORTED]

            def accept(self) -> tuple[socket.socket, Any]:
                """Fail at first."""
                if self.errors:
                    raise OSError(self.errors.pop(), "refused")
                return self.listener.accept()

            def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the listener has
                return getattr(self.listener, name)

        run = drivers()
        run.server._listener = Crowded(run.door.listener)  # type: ignore[assignment] # noqa: SLF001
        run.start()
        run.connected()
        run.close()


class TestLostConnections:
    """Connections that break, and come back."""

    def test_a_trial_goes_on_over_a_new_connection(self, run: Run) -> None:
        """The agent that is back in time still has its trial."""
        link = run.connected()
        lease = link.request({"type": "next"}).message
        cut(link)

        assert link.resume(lease)
        assert link.request({**ENDED, "number": 0, "attempt": 1}).message["type"] == "trial"
        run.coordinator.expire()
        assert [outcome.trial.number for outcome in run.coordinator.outcomes] == [0]

    def test_a_trial_that_was_given_to_another_is_gone(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An agent that comes back too late is told to stop."""
        monkeypatch.setattr(coordinator_module, "RECONNECT_S", -1.0)
        link, other = run.connected("x"), run.connected("y")
        lease = link.request({"type": "next"}).message
        cut(link)

        def lost() -> bool:
            run.coordinator.expire()
            return not run.coordinator.resume("x", 0, 1)

        until(lost)
        assert other.request({"type": "next"}).message["attempt"] == 2
        assert not link.resume(lease)
        assert link.request({"type": "next"}).message["number"] == 1

    def test_a_trial_whose_offer_was_lost_is_offered_again(self, run: Run) -> None:
        """The report had come and its answer, with the next trial, had not: nothing hangs."""
        link = run.connected()
        link.request({"type": "next"})
        link.ask({**ENDED, "number": 0, "attempt": 1})
        until(lambda: not run.coordinator.resume("x", 0, 1))
        until(lambda: run.coordinator.resume("x", 1, 1))
        cut(link)

        assert not link.resume({"number": 0, "attempt": 1})
        seen = set()
        lease = link.request({"type": "next"}).message
        while lease["type"] == "trial":
            seen.add(lease["number"])
            identity = {"number": lease["number"], "attempt": lease["attempt"]}
            lease = link.request({**ENDED, **identity}).message
        assert seen == {1, 2}
        assert run.coordinator.is_finished

    def test_silence_is_a_loss(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        """An agent that says nothing for too long is cut off, and its trial is run again."""
        monkeypatch.setattr(server_module, "SILENCE_S", 0.05)
        monkeypatch.setattr(coordinator_module, "RECONNECT_S", -1.0)
        link = run.connected()
        link.request({"type": "next"})

        assert is_closed(link._connection.sock)  # noqa: SLF001 - the agent does not look

        def lost() -> bool:
            run.coordinator.expire()
            return not run.coordinator.resume("x", 0, 1)

        until(lost)
        lease = run.coordinator.next("y", 0)
        assert lease is not None
        assert (lease.trial.number, lease.attempt) == (0, 2)

    def test_a_driver_that_is_gone_is_given_up(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The agent tries for a while, and then says so."""
        monkeypatch.setattr(link_module, "RECONNECT_S", 0.05)
        link = run.connected()
        run.close()

        with pytest.raises(wire.Closed, match="The driver is gone"):
            link.resume({"number": 0, "attempt": 1})

    def test_a_driver_that_is_paused_when_the_connection_breaks(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nobody answers at its address; the agent does not wait for longer than for a dead one."""
        monkeypatch.setattr(link_module, "RECONNECT_S", 0.05)
        run = drivers()
        link = run.link()
        run.start()
        link.connect()
        with wire.listen("127.0.0.1") as deaf:
            monkeypatch.setattr(link, "_address", deaf.getsockname())
            with pytest.raises(wire.Closed, match="The driver is gone"):
                link.resume({"number": 0, "attempt": 1})
        run.close()

    def test_a_silent_driver_is_noticed(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        """But only by an agent that has asked for something."""
        link = run.connected()
        monkeypatch.setattr(link_module, "SILENCE_S", -1.0)
        link.check()
        assert not link.is_waiting

        link.ask({"type": "next"})
        assert link.is_waiting
        with pytest.raises(wire.Silent):
            link.check()

    def test_a_question_may_be_left_open(self, run: Run) -> None:
        """Its answer is taken before the next question is asked."""
        link = run.connected()
        link.ask({"type": "function", "offset": 5})

        assert link.request({"type": "next"}).message["number"] == 0
        assert not link.is_waiting


class TestTheEnd:
    """What is left when a run is over."""

    def test_nothing_is_left(self) -> None:
        """Agents that wait hear that it is over; threads, connections and the address are gone."""
        run = drivers()
        run.start()
        links = [run.connected(f"agent-{n}") for n in range(5)]
        answers = [link.request({"type": "next"}).message["type"] for link in links[:3]]
        assert answers == ["trial"] * 3
        for link in links[3:]:
            link.ask({"type": "next"})

        run.coordinator.kill()
        for link in links[:3]:
            assert link.request({"type": "next"}).message == {"type": "done"}
            link.close()
        for link in links[3:]:
            assert link.receive().message == {"type": "done"}
        for link in links:
            cut(link)
        run.server.close()

        until(lambda: not our_threads())
        with pytest.raises(ConnectionRefusedError):
            run.stranger()
        run.server.close()

    def test_who_stays_is_cut_off(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An agent that does not go, and a stranger, do not hold up the end."""
        monkeypatch.setattr(server_module, "FAREWELL_S", 0.05)
        run = drivers()
        run.start()
        link = run.connected()
        stranger = run.stranger()
        until(lambda: our_threads().count("hops-agent") == 2)
        run.server.close()

        with pytest.raises(wire.Closed):
            link.receive()
        assert is_closed(stranger)
        until(lambda: not our_threads())
        stranger.close()
        cut(link)

    def test_a_server_that_never_began(self) -> None:
        """It can be closed as well."""
        run = drivers()
        run.server.close()
        with pytest.raises(ConnectionRefusedError):
            run.stranger()


class TestTLS:
    """Across hosts, with a certificate that is made for the run."""

    @pytest.fixture
    def authority(self) -> Any:  # noqa: ANN401 - of an optional package
        """Return what makes certificates."""
        return pytest.importorskip("trustme").CA()

    @pytest.fixture
    def certificate(self, authority: Any) -> tuple[ssl.SSLContext, str]:  # noqa: ANN401
        """Return the driver's side of TLS, and the certificate that agents are told."""
        return self.make(authority)

    def make(self, authority: Any) -> tuple[ssl.SSLContext, str]:  # noqa: ANN401
        """Make a certificate."""
        issued = authority.issue_cert("some-other-name.example.org")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(context)
        return context, issued.cert_chain_pems[0].bytes().decode()

    def test_the_owner_of_the_certificate_is_trusted(
        self, certificate: tuple[ssl.SSLContext, str]
    ) -> None:
        """It is pinned as a whole: its name does not matter."""
        run = drivers(tls=certificate)
        run.start()
        link = run.connected()

        assert link.request({"type": "function", "offset": 0}).blob == b"0123456789"
        secured = link._connection.sock  # noqa: SLF001 - to see that it is one
        assert isinstance(secured, ssl.SSLSocket)
        assert secured.version() == "TLSv1.3"

    def test_another_certificate_is_refused(
        self,
        authority: Any,  # noqa: ANN401 - of an optional package
        certificate: tuple[ssl.SSLContext, str],
    ) -> None:
        """Even one of the same authority; the agent says nothing over such a connection."""
        run = drivers(tls=certificate)
        run.start()
        _, other = self.make(authority)
        with pytest.raises(ssl.SSLCertVerificationError):
            run.link(certificate=other).connect()

        run.connected()
        run.close()

    def test_without_tls_nobody_gets_in(self, certificate: tuple[ssl.SSLContext, str]) -> None:
        """Neither end goes on in plain text."""
        run = drivers(tls=certificate)
        run.start()
        with pytest.raises(ProtocolError):
            run.link(certificate=None).connect()
        plain = drivers()
        plain.start()
        with pytest.raises(OSError, match=r"SSL|TLS"):
            plain.link(certificate=certificate[1]).connect()

        run.close()
        plain.close()

    def test_who_says_nothing_is_cut_off(
        self, certificate: tuple[ssl.SSLContext, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Before the handshake of TLS as well; and it does not hold up the end of the run."""
        monkeypatch.setattr(wire, "HANDSHAKE_S", 0.1)
        run = drivers(tls=certificate)
        run.start()
        with run.stranger() as stranger:
            assert is_closed(stranger)


class FakeEngine:
    """Starts agents as the test says."""

    name = "fake"
    host = "127.0.0.1"
    agents = 1

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

    @pytest.mark.parametrize("begun", [0, 1])
    def test_agents_that_always_end_end_the_run(self, project: "Path", begun: int) -> None:
        """Also after a trial has been begun: what it had done is recorded as ended."""

        class DyingAgents(FakeEngine):
            """Starts agents that end before they ask for anything, but for the first."""

            def poll(self) -> list[Departure]:
                """Say that another one has ended."""
                self.polls += 1
                if self.polls <= begun:
                    lease = self.link("good").request({"type": "next"}).message
                    assert lease["type"] == "trial"
                return [Departure(f"agent-{self.polls}", "it ended with 1: no space left")]

        engine = DyingAgents()
        with pytest.raises(AgentError, match=r"No worker could be started.*no space left"):
            self.execute(engine, self.plan())
        assert engine.polls == FRUITLESS_DEPARTURES
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
        assert sorted(attempts[:-1]) == [1, 1, 1, 2, 2, 2, 3, 3, 3]
        assert attempts[-1] is None

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
