import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from hops.experiment import wire
from hops.experiment.errors import ProtocolError

TOKEN = b"t" * 32
HELLO = {"agent": "a", "host": "here"}
PATIENCE_S = 20.0

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


def exactly(sock: socket.socket, size: int) -> bytes:
    """Read so many bytes."""
    with sock.makefile("rb", buffering=0) as file:
        data = b""
        while len(data) < size:
            data += file.read(size - len(data)) or b""
        return data


class TestFrames:
    """Frames over a socket."""

    @pytest.mark.parametrize("blob", [b"", b"\0\n\xff", b"\n", bytes(100_000)])
    def test_a_frame_arrives_as_it_was_sent(self, pair: Pair, blob: bytes) -> None:
        """The message and the raw bytes behind it, whatever is in them."""
        connection, theirs = pair
        connection.limit_bytes = wire.MESSAGE_BYTES
        message = {"text": "Ä\n\ud800", "n": [1, 2.5, None], "nested": {"a": True}}
        sender = threading.Thread(target=wire.Connection(theirs).send, args=(message, blob))
        sender.start()

        assert connection.receive(PATIENCE_S) == (message, blob)
        sender.join()

    def test_frames_keep_their_order_and_their_ends(self, pair: Pair) -> None:
        """Frames that arrive in one piece are taken one by one."""
        connection, theirs = pair
        payloads = [wire.encode({"n": n}, b"x" * n) for n in range(50)]
        theirs.sendall(b"".join(framed(payload) for payload in payloads))

        assert [connection.receive(PATIENCE_S) for _ in payloads] == [
            ({"n": n}, b"x" * n) for n in range(50)
        ]

    def test_a_frame_may_come_byte_by_byte(self, pair: Pair) -> None:
        """As long as it is whole in time."""
        connection, theirs = pair

        def dribble() -> None:
            for byte in framed(b'{"a":1}'):
                theirs.sendall(bytes([byte]))

        sender = threading.Thread(target=dribble)
        sender.start()

        assert connection.receive(PATIENCE_S).message == {"a": 1}
        sender.join()

    def test_the_longest_frame(self, pair: Pair) -> None:
        """A frame as long as allowed is taken, one byte more is not."""
        connection, theirs = pair
        payload = b'{"a":"%b"}' % (b"x" * (wire.HANDSHAKE_BYTES - 8))
        assert len(payload) == wire.HANDSHAKE_BYTES
        theirs.sendall(framed(payload) + framed(payload + b" "))

        assert len(connection.receive(PATIENCE_S).message["a"]) == wire.HANDSHAKE_BYTES - 8
        with pytest.raises(ProtocolError, match="4097 bytes, more than 4096"):
            connection.receive(PATIENCE_S)

    def test_an_announced_gigabyte_is_not_waited_for(self, pair: Pair) -> None:
        """The length alone is refused, so that a stranger cannot fill our memory."""
        connection, theirs = pair
        theirs.sendall(struct.pack(">I", 1 << 30))

        with pytest.raises(ProtocolError, match="1073741824 bytes"):
            connection.receive(PATIENCE_S)

    @pytest.mark.parametrize(
        ("payload", "said"),
        [
            (b"", "not JSON"),
            (b"\x80\x81\xff garbage", "not JSON"),
            (b"{", "not JSON"),
            (b'{"a": ' + b"9" * 4090, "not JSON"),
            (b"[" * 4000, "not JSON"),
            (b"[1, 2]", "not a JSON object"),
            (b"null", "not a JSON object"),
            (b'"text"', "not a JSON object"),
            (b"GET / HTTP/1.1\r\n\r\n", "not JSON"),
        ],
    )
    def test_what_is_no_frame_is_an_error(self, pair: Pair, payload: bytes, said: str) -> None:
        """Garbage, another protocol, and JSON that is too deep or no object."""
        connection, theirs = pair
        theirs.sendall(framed(payload))

        with pytest.raises(ProtocolError, match=said):
            connection.receive(PATIENCE_S)

    @pytest.mark.parametrize("sent", [b"", b"\0\0", framed(b'{"a":1}')[:-1]])
    def test_an_end_in_the_middle_is_an_end(self, pair: Pair, sent: bytes) -> None:
        """A peer that is gone is gone, however much of a frame had come."""
        connection, theirs = pair
        theirs.sendall(sent)
        theirs.close()

        with pytest.raises(wire.Closed):
            connection.receive(PATIENCE_S)

    @pytest.mark.parametrize("sent", [b"", b"\0\0", framed(b'{"a":1}')[:-1]])
    def test_silence_is_noticed(self, pair: Pair, sent: bytes) -> None:
        """The time limit holds for the whole frame."""
        connection, theirs = pair
        theirs.sendall(sent)

        with pytest.raises(wire.Silent):
            connection.receive(0.02)

    def test_a_peer_that_dribbles_is_cut_off(self, pair: Pair) -> None:
        """A byte now and then does not extend the time."""
        connection, theirs = pair
        over = threading.Event()
        theirs.sendall(struct.pack(">I", 4000))

        def dribble() -> None:
            while not over.wait(0.005):
                theirs.sendall(b" ")

        sender = threading.Thread(target=dribble)
        sender.start()
        try:
            with pytest.raises(wire.Silent):
                connection.receive(0.1)
        finally:
            over.set()
            sender.join()

    def test_a_peer_that_does_not_read_is_noticed(
        self, pair: Pair, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Sending gives up, instead of holding its thread for ever."""
        monkeypatch.setattr(wire, "PATIENCE_S", 0.05)
        connection, _ = pair

        with pytest.raises(wire.Silent):
            connection.send({}, bytes(10_000_000))

    def test_waiting_shortly_does_not_hurry_what_is_sent_next(self, pair: Pair) -> None:
        """The time limit of the last frame that was received is not that of the answer."""
        connection, theirs = pair
        with pytest.raises(wire.Silent):
            connection.receive(0.001)
        reader = threading.Timer(0.05, exactly, (theirs, 1_000_000))
        reader.start()

        connection.send({}, bytes(1_000_000))
        reader.join()

    def test_sending_to_nobody_is_an_error(self, pair: Pair) -> None:
        """Also on a connection that we have closed ourselves."""
        connection, theirs = pair
        theirs.close()
        with pytest.raises(wire.Closed):
            connection.send({}, bytes(1_000_000))

        connection.close()
        connection.close()
        with pytest.raises(wire.Closed):
            connection.send({})
        with pytest.raises(wire.Closed):
            connection.receive(PATIENCE_S)

    def test_closing_is_seen_at_once_on_both_ends(self, pair: Pair) -> None:
        """Also by a thread of ours that waits for a frame."""
        connection, theirs = pair
        errors: list[Exception] = []

        def wait() -> None:
            try:
                connection.receive(None)
            except ProtocolError as error:
                errors.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        connection.close()
        waiting.join(PATIENCE_S)

        assert isinstance(errors[0], wire.Closed)
        assert theirs.recv(1) == b""

    def test_the_ends_of_a_connection_are_connection_errors(self) -> None:
        """Callers that know nothing of us catch them as such."""
        assert issubclass(wire.Closed, ConnectionError)
        assert issubclass(wire.Silent, ConnectionError)


def test_a_listener_is_on_the_address_that_was_asked_for() -> None:
    """And on no other, on a port of its own."""
    with wire.listen("127.0.0.1") as first, wire.listen("127.0.0.1") as second:
        assert first.getsockname()[0] == second.getsockname()[0] == "127.0.0.1"
        assert first.getsockname()[1] != second.getsockname()[1]


def test_a_listener_may_have_an_address_of_the_sixth_version() -> None:
    """Where the machine has one."""
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
    with wire.listen("::1") as listener:
        assert listener.family == socket.AF_INET6
