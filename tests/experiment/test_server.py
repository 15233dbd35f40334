import errno
import os
import pickle
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from driving import (
    ENDED,
    PATIENCE_S,
    Driver,
    FailingSearch,
    cut,
    is_closed,
    our_threads,
    several,
    until,
)
from hops.experiment import versions as versions_module
from hops.experiment import wire
from hops.experiment.driver import server as server_module
from hops.experiment.driver import service as service_module
from hops.experiment.driver.events import Logged
from hops.experiment.errors import ProtocolError
from hops.experiment.worker import link as link_module


@pytest.fixture
def drivers() -> Iterator[Callable[..., Driver]]:
    """Return what makes a driver that does not answer yet."""
    with several() as make:
        yield make


@pytest.fixture
def run(drivers: Callable[..., Driver]) -> Driver:
    """Return a driver that answers."""
    run = drivers()
    run.start()
    return run


class TestMessages:
    """What agents ask, and what they are answered."""

    def test_a_run_as_an_agent_sees_it(self, run: Driver) -> None:
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
        self, run: Driver, monkeypatch: pytest.MonkeyPatch, size_bytes: int
    ) -> None:
        """However large it is; the part behind its end is empty."""
        monkeypatch.setattr(service_module, "FUNCTION_PART_BYTES", size_bytes)
        link = run.connected()
        data = b""
        while part := link.request({"type": "function", "offset": len(data)}).blob:
            assert len(part) <= size_bytes
            data += part

        assert data == b"0123456789"

    def test_signs_of_life(self, run: Driver) -> None:
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

    def test_the_last_lines_come_with_the_report(self, run: Driver) -> None:
        """They are told before the end of the trial is, which is published beside the next one."""
        link = run.connected()
        link.request({"type": "next"})
        link.request({**ENDED, "number": 0, "attempt": 1, "lines": ["last"], "skipped": 1})

        kinds = [type(run.coordinator.events.get(timeout=10)).__name__ for _ in range(4)]
        assert kinds == ["Started", "Logged", "Started", "Ended"]

    def test_waiting_is_answered_in_time(
        self, run: Driver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An agent without work hears that it is to ask again, before silence is noticed."""
        monkeypatch.setattr(service_module, "WAIT_S", 0.01)
        busy, idle = run.connected("busy"), run.connected("idle")
        for _ in range(3):
            run.coordinator.next(f"other-{_}", 0)

        assert idle.request({"type": "next"}).message == {"type": "wait"}
        assert busy.request({"type": "next"}).message == {"type": "wait"}
        assert service_module.WAIT_S < link_module.SILENCE_S

    def test_an_agent_that_cannot_run_trials_says_so(self, run: Driver) -> None:
        """The run learns why."""
        link = run.connected()
        message = {"type": "broken", "reason": "'torch' cannot be imported"}

        assert link.request(message).message == {"type": "done"}
        assert run.service.broken == "'torch' cannot be imported"

    @pytest.mark.parametrize("kind", ["unknown", "", None, 7, [], {"next": 1}])
    def test_a_message_that_no_agent_sends(self, run: Driver, kind: object) -> None:
        """It ends the connection that it came over, and hurts nobody else."""
        link, other = run.connected("x"), run.connected("y")

        with pytest.raises(wire.Closed):
            link.request({"type": kind})
        assert other.request({"type": "next"}).message["type"] == "trial"
        assert run.server.failure is None

    def test_what_is_no_message_at_all(self, run: Driver) -> None:
        """So does garbage from an agent that has proved itself, and a frame beyond the limit."""
        other = run.connected("y")
        for sent in (b"\0\0\0\2{]", b"\x7f\xff\xff\xff"):
            link = run.connected("x")
            link._connection.sock.sendall(sent)  # noqa: SLF001 - what no link sends
            with pytest.raises(wire.Closed):
                link.receive()

        assert other.request({"type": "next"}).message["type"] == "trial"
        assert run.server.failure is None

    def test_an_error_of_ours_is_kept_for_the_run(self, run: Driver) -> None:
        """It ends the connection, and is not printed by a thread that nobody looks at."""
        run.coordinator._search = FailingSearch()  # noqa: SLF001 - from the next question on

        with pytest.raises(wire.Closed):
            run.connected().request({"type": "next"})
        assert isinstance(run.server.failure, ZeroDivisionError)


class TestVersions:
    """Agents of other releases."""

    @pytest.mark.parametrize("name", ["python", "hops", "cloudpickle"])
    def test_another_version_is_refused(
        self, run: Driver, monkeypatch: pytest.MonkeyPatch, name: str
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

    def test_another_protocol_is_refused(
        self, run: Driver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
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

    def test_a_refused_agent_is_not_there(
        self, run: Driver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
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

    def test_an_agent_of_another_run_is_turned_away(self, run: Driver) -> None:
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
    def test_garbage_is_cut_off(self, run: Driver, sent: bytes) -> None:
        """Without a word, and without a trace."""
        with run.stranger() as stranger:
            stranger.sendall(sent)
            with suppress(OSError):  # it has been cut off already
                stranger.shutdown(socket.SHUT_WR)
            assert is_closed(stranger)

        assert run.server.failure is None

    def test_who_says_nothing_is_cut_off(
        self, run: Driver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When the time for the handshake is over."""
        monkeypatch.setattr(wire, "HANDSHAKE_S", 0.05)
        with run.stranger() as stranger:
            assert is_closed(stranger)

    def test_strangers_do_not_keep_agents_out_for_ever(
        self, monkeypatch: pytest.MonkeyPatch, drivers: Callable[..., Driver]
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

    def test_many_agents_at_once_get_in(self, drivers: Callable[..., Driver]) -> None:
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

    def test_too_many_open_files_are_no_end(self, drivers: Callable[..., Driver]) -> None:
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


class TestTheEnd:
    """What is left when a run is over."""

    def test_nothing_is_left(self, drivers: Callable[..., Driver]) -> None:
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

    def test_who_stays_is_cut_off(
        self, monkeypatch: pytest.MonkeyPatch, drivers: Callable[..., Driver]
    ) -> None:
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

    def test_a_server_that_never_began(self, drivers: Callable[..., Driver]) -> None:
        """It can be closed as well."""
        run = drivers()
        run.server.close()
        with pytest.raises(ConnectionRefusedError):
            run.stranger()
