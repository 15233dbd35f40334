import hashlib
import hmac
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hops.experiment import wire
from hops.experiment.errors import ProtocolError

TOKEN = b"t" * 32
HELLO = {"agent": "a", "host": "here"}
PATIENCE_S = 20.0

Handle = Callable[[wire.Connection], object]
Pair = tuple[wire.Connection, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Return a connection, and the bare socket at its other end."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(PATIENCE_S)
        yield wire.Connection(ours), theirs


def framed(payload: bytes) -> bytes:
    """Put the length before the payload."""
    return struct.pack(">I", len(payload)) + payload


def received(sock: socket.socket) -> dict[str, Any]:
    """Read one frame without the code under test."""
    (length,) = struct.unpack(">I", exactly(sock, 4))
    message: dict[str, Any] = json.loads(exactly(sock, length))
    return message


def exactly(sock: socket.socket, size: int) -> bytes:
    """Read so many bytes."""
    with sock.makefile("rb", buffering=0) as file:
        data = b""
        while len(data) < size:
            data += file.read(size - len(data)) or b""
        return data


def proof(token: bytes, role: bytes, greeting: bytes, nonce: str) -> str:
    """Compute what a peer proves itself with, from the description of the protocol."""
    digest = hashlib.sha256(greeting).digest()
    return hmac.new(token, role + b"\0" + digest + nonce.encode(), "sha256").hexdigest()


class Admission(threading.Thread):
    """The driver's side of a handshake, in the background."""

    def __init__(self, sock: socket.socket, token: bytes = TOKEN) -> None:
        super().__init__(daemon=True)
        self.connection = wire.Connection(sock)
        self.token = token
        self.hello: dict[str, Any] | None = None
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        """Admit, and remember how it went."""
        try:
            self.hello = wire.admit(self.connection, self.token)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
            self.error = error

    def outcome(self) -> Exception | None:
        """Wait for the end, and return what was raised."""
        self.join(PATIENCE_S)
        assert not self.is_alive(), "the handshake has not ended"
        return self.error


class Driver(threading.Thread):
    """Listens, and handles the first peer with the given function."""

    def __init__(self, handle: Handle) -> None:
        super().__init__(daemon=True)
        self.listener = wire.listen("127.0.0.1")
        self.address: tuple[str, int] = self.listener.getsockname()
        self.handle = handle
        self.start()

    def run(self) -> None:
        """Handle one peer."""
        sock, _ = self.listener.accept()
        with sock:
            self.handle(wire.Connection(sock))

    def close(self) -> None:
        """Wait for the end."""
        self.join(PATIENCE_S)
        self.listener.close()
        assert not self.is_alive()


Start = Callable[[Handle], Driver]


@pytest.fixture
def driver() -> Iterator[Start]:
    """Return what starts a driver; all of them are over at the end."""
    started: list[Driver] = []

    def start(handle: Handle) -> Driver:
        started.append(Driver(handle))
        return started[-1]

    yield start
    for one in started:
        one.close()


class TestHandshake:
    """Both ends prove that they know the token."""

    def test_both_ends_are_proved(self, driver: Start) -> None:
        """Driver and agent accept each other, and longer frames from then on."""
        hellos = []

        def admit(connection: wire.Connection) -> None:
            hellos.append(wire.admit(connection, TOKEN))
            connection.send({"welcome": True})
            frame = connection.receive(PATIENCE_S)
            connection.send(*frame)

        connection, welcome = wire.connect(driver(admit).address, TOKEN, HELLO)
        connection.send({"echo": 1}, bytes(100_000))

        assert welcome == {"welcome": True}
        assert connection.receive(PATIENCE_S) == ({"echo": 1}, bytes(100_000))
        assert hellos[0].items() >= (HELLO | {"protocol": wire.PROTOCOL}).items()
        connection.close()

    def test_a_refusal_is_told(self, driver: Start) -> None:
        """The agent raises the reason that the driver gives."""

        def refuse(connection: wire.Connection) -> None:
            wire.admit(connection, TOKEN)
            connection.send({"refused": "You are too old."})

        with pytest.raises(ProtocolError, match=r"You are too old\."):
            wire.connect(driver(refuse).address, TOKEN, HELLO)

    def test_an_agent_with_another_token_is_no_agent(self, driver: Start) -> None:
        """Either end finds out; neither learns the other's token."""
        errors = []

        def admit(connection: wire.Connection) -> None:
            with pytest.raises(ProtocolError) as caught:
                wire.admit(connection, TOKEN)
            errors.append(caught.value)

        real = driver(admit)
        with pytest.raises(ProtocolError, match="driver could not prove"):
            wire.connect(real.address, b"x" * 32, HELLO)
        real.close()
        assert isinstance(errors[0], wire.Closed)

    @pytest.mark.parametrize(
        "challenge",
        [{}, {"nonce": "n", "proof": "0" * 64}, {"nonce": "\ud800", "proof": "\ud800"},
         {"nonce": 1, "proof": None}],
    )  # fmt: skip
    def test_somebody_else_at_the_address_gets_no_proof(
        self,
        driver: Start,
        challenge: dict[str, Any],
    ) -> None:
        """An agent that has found no driver says nothing that could be used with the real one."""
        heard = []

        def pretend(connection: wire.Connection) -> None:
            heard.append(connection.receive(PATIENCE_S).message)
            connection.send(challenge)
            with pytest.raises(wire.Closed):
                heard.append(connection.receive(PATIENCE_S).message)

        other = driver(pretend)
        with pytest.raises(ProtocolError, match="driver could not prove"):
            wire.connect(other.address, TOKEN, HELLO)
        other.close()
        assert [set(message) for message in heard] == [{*HELLO, "protocol", "nonce"}]

    @pytest.mark.parametrize(
        "answer", [{}, {"proof": "0" * 64}, {"proof": "\ud800"}, {"proof": 7}, {"proof": []}]
    )
    def test_a_peer_without_proof_is_refused(self, pair: Pair, answer: dict[str, Any]) -> None:
        """Whatever it sends instead."""
        connection, theirs = pair
        admission = Admission(connection.sock)
        theirs.sendall(framed(wire.encode(HELLO)))
        received(theirs)
        theirs.sendall(framed(wire.encode(answer)))

        error = admission.outcome()
        assert type(error) is ProtocolError
        assert "does not know the token" in str(error)

    def test_the_proof_is_the_one_that_is_described(self, pair: Pair) -> None:
        """The transcript can be computed from the description; the agent may be another program."""
        connection, theirs = pair
        admission = Admission(connection.sock)
        greeting = b'{"agent": "other"}'
        theirs.sendall(framed(greeting))
        challenge = received(theirs)

        assert challenge["proof"] == proof(TOKEN, b"driver", greeting, challenge["nonce"])
        answer = {"proof": proof(TOKEN, b"agent", greeting, challenge["nonce"])}
        theirs.sendall(framed(wire.encode(answer)))
        assert admission.outcome() is None
        assert admission.hello == {"agent": "other"}
        assert admission.connection.limit_bytes == wire.MESSAGE_BYTES

    def test_what_was_recorded_cannot_be_replayed(self) -> None:
        """The same hello and proof, sent again, prove nothing: the challenge is another."""
        greeting = wire.encode(HELLO | {"nonce": "n"})
        answer: dict[str, Any] = {}
        outcomes = []
        for _ in range(2):
            ours, theirs = socket.socketpair()
            with ours, theirs:
                admission = Admission(ours)
                theirs.sendall(framed(greeting))
                nonce = received(theirs)["nonce"]
                answer = answer or {"proof": proof(TOKEN, b"agent", greeting, nonce)}
                theirs.sendall(framed(wire.encode(answer)))
                outcomes.append(admission.outcome())

        assert outcomes[0] is None
        assert isinstance(outcomes[1], ProtocolError)

    def test_the_driver_s_proof_is_not_an_agent_s(self, pair: Pair) -> None:
        """Sent back to the driver, it proves nothing."""
        connection, theirs = pair
        admission = Admission(connection.sock)
        theirs.sendall(framed(wire.encode(HELLO)))
        theirs.sendall(framed(wire.encode({"proof": received(theirs)["proof"]})))

        assert isinstance(admission.outcome(), ProtocolError)

    @pytest.mark.parametrize(
        "sent",
        [struct.pack(">I", 1 << 30), framed(b"x" * 5000), framed(b"[]"), b"GET / HTTP/1.1\r\n\r\n"],
    )
    def test_a_stranger_is_refused(self, pair: Pair, sent: bytes) -> None:
        """Nothing that it sends gets further than the limits of a stranger."""
        connection, theirs = pair
        admission = Admission(connection.sock)
        theirs.sendall(sent)

        assert type(admission.outcome()) is ProtocolError

    def test_the_whole_handshake_has_one_deadline(
        self, pair: Pair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A stranger that sends slowly, or only its hello, is cut off in time."""
        monkeypatch.setattr(wire, "HANDSHAKE_S", 0.1)
        connection, theirs = pair
        admission = Admission(connection.sock)
        theirs.sendall(framed(wire.encode(HELLO)))
        received(theirs)
        over = threading.Event()
        theirs.sendall(struct.pack(">I", 4000))

        def dribble() -> None:
            while not over.wait(0.005):
                theirs.sendall(b" ")

        sender = threading.Thread(target=dribble)
        sender.start()
        try:
            assert isinstance(admission.outcome(), wire.Silent)
        finally:
            over.set()
            sender.join()

    def test_a_driver_that_does_not_answer_is_given_up(self, driver: Start) -> None:
        """An agent waits for as long as it is told."""
        over = threading.Event()
        silent = driver(lambda _: over.wait(PATIENCE_S))
        try:
            with pytest.raises(wire.Silent):
                wire.connect(silent.address, TOKEN, HELLO, timeout_s=0.05)
        finally:
            over.set()

    def test_nobody_at_the_address_is_an_error(self) -> None:
        """As Python says it."""
        with wire.listen("127.0.0.1") as listener:
            address = listener.getsockname()
        with pytest.raises(ConnectionRefusedError):
            wire.connect(address, TOKEN, HELLO)
