import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from driving import ENDED, PATIENCE_S, Driver, cut, is_closed, several, until
from hops.experiment import wire
from hops.experiment.driver import coordinator as coordinator_module
from hops.experiment.driver import server as server_module
from hops.experiment.driver.certificate import throw_away_certificate
from hops.experiment.errors import ProtocolError
from hops.experiment.worker import link as link_module
from hops.experiment.worker import watch as watch_module
from hops.experiment.worker.nursery import Child
from hops.experiment.worker.output import TrialOutput
from hops.experiment.worker.watch import Watch


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


class TestLostConnections:
    """Connections that break, and come back."""

    def test_a_trial_goes_on_over_a_new_connection(self, run: Driver) -> None:
        """The agent that is back in time still has its trial."""
        link = run.connected()
        lease = link.request({"type": "next"}).message
        cut(link)

        assert link.resume(lease)
        assert link.request({**ENDED, "number": 0, "attempt": 1}).message["type"] == "trial"
        run.coordinator.expire()
        until(lambda: run.coordinator.outcomes)
        assert [outcome.trial.number for outcome in run.coordinator.outcomes] == [0]

    def test_a_trial_that_was_given_to_another_is_gone(
        self, run: Driver, monkeypatch: pytest.MonkeyPatch
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

    def test_a_trial_whose_offer_was_lost_is_offered_again(self, run: Driver) -> None:
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

    def test_silence_is_a_loss(self, run: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
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
        self, run: Driver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The agent tries for a while, and then says so."""
        monkeypatch.setattr(link_module, "RECONNECT_S", 0.05)
        link = run.connected()
        run.close()

        with pytest.raises(wire.Closed, match="The driver is gone"):
            link.resume({"number": 0, "attempt": 1})

    def test_a_driver_that_is_paused_when_the_connection_breaks(
        self, monkeypatch: pytest.MonkeyPatch, drivers: Callable[..., Driver]
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

    def test_a_silent_driver_is_noticed(self, run: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
        """But only by an agent that has asked for something."""
        link = run.connected()
        monkeypatch.setattr(link_module, "SILENCE_S", -1.0)
        link.check()
        assert not link.is_waiting

        link.ask({"type": "next"})
        assert link.is_waiting
        with pytest.raises(wire.Silent):
            link.check()

    def test_a_question_may_be_left_open(self, run: Driver) -> None:
        """Its answer is taken before the next question is asked."""
        link = run.connected()
        link.ask({"type": "function", "offset": 5})

        assert link.request({"type": "next"}).message["number"] == 0
        assert not link.is_waiting


class TestWatch:
    """An agent whose trial runs, and whose driver does not answer."""

    @pytest.fixture
    def process(self) -> Iterator["subprocess.Popen[bytes]"]:
        """Return a trial's process that says nothing, and ends only when it is killed."""
        command = [sys.executable, "-c", "import signal; signal.pause()"]
        process = subprocess.Popen(command, start_new_session=True)
        yield process
        process.kill()
        process.wait()

    @pytest.fixture
    def child(self, process: "subprocess.Popen[bytes]") -> Iterator[Child]:
        """Return what the agent has of that process."""
        ours, theirs = socket.socketpair()
        output, end = os.pipe()
        os.set_blocking(output, False)
        child = Child(process.pid, wire.Connection(ours), output)
        yield child
        child.close()
        theirs.close()
        os.close(end)

    def test_a_driver_that_is_silent_for_too_long_is_given_up(
        self,
        run: Driver,
        process: "subprocess.Popen[bytes]",
        child: Child,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        """A beat that is never answered ends the trial, and the agent with it."""
        monkeypatch.setattr(link_module, "SILENCE_S", 0.05)
        monkeypatch.setattr(watch_module, "BEAT_S", 0.01)
        heard, answered = threading.Event(), threading.Event()

        def beat(*_: object) -> bool:
            heard.set()
            return answered.wait(PATIENCE_S)

        monkeypatch.setattr(run.coordinator, "beat", beat)
        link = run.connected()
        lease = link.request({"type": "next"}).message
        output = TrialOutput(tmp_path / "log")
        nursery, end = socket.socketpair()  # all that is asked of it: whether a child has ended
        with nursery, end:
            watch = Watch(link, nursery, child, lease, output)  # type: ignore[arg-type]
            try:
                with pytest.raises(wire.Silent):
                    watch.until_it_ends()
            finally:
                answered.set()
                output.close()
        assert heard.is_set()
        assert process.wait(PATIENCE_S) == -signal.SIGKILL


class TestTLS:
    """Across hosts, with a certificate that is made for the run."""

    def test_the_owner_of_the_certificate_is_trusted(self, drivers: Callable[..., Driver]) -> None:
        """It is pinned as a whole: its name does not matter."""
        run = drivers(across_hosts=True)
        run.start()
        link = run.connected()

        assert link.request({"type": "function", "offset": 0}).blob == b"0123456789"
        secured = link._connection.sock  # noqa: SLF001 - to see that it is one
        assert isinstance(secured, ssl.SSLSocket)
        assert secured.version() == "TLSv1.3"

    def test_another_certificate_is_refused(self, drivers: Callable[..., Driver]) -> None:
        """That of another run, say; the agent tells nothing over such a connection."""
        run = drivers(across_hosts=True)
        run.start()
        _, other = throw_away_certificate()
        with pytest.raises(ssl.SSLCertVerificationError):
            run.link(certificate=other).connect()

        run.connected()

    def test_without_tls_nobody_gets_in(self, drivers: Callable[..., Driver]) -> None:
        """Neither end goes on in plain text."""
        run = drivers(across_hosts=True)
        run.start()
        with pytest.raises(ProtocolError):
            run.link(certificate=None).connect()
        plain = drivers()
        plain.start()
        with pytest.raises(OSError, match=r"SSL|TLS"):
            plain.link(certificate=run.door.invitation.certificate).connect()

    def test_who_says_nothing_is_cut_off(
        self, monkeypatch: pytest.MonkeyPatch, drivers: Callable[..., Driver]
    ) -> None:
        """Before the handshake of TLS as well; and it does not hold up the end of the run."""
        monkeypatch.setattr(wire, "HANDSHAKE_S", 0.1)
        run = drivers(across_hosts=True)
        run.start()
        with run.stranger() as stranger:
            assert is_closed(stranger)
