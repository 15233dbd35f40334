"""The channel between driver and agents: frames and handshake, no policy.

A frame is a length (4 bytes, big-endian), a JSON object, and optionally a newline with raw bytes
behind it. Before both ends have proved that they know the run's token, a frame is at most 4 KiB.

The handshake is a mutual challenge and response over HMAC-SHA256, so that neither end shows the
token and nothing that was recorded can be replayed::

    agent   hello      {protocol, versions, agent, nonce}
    driver  challenge  {nonce, proof}     proof = HMAC(token, "driver", hello, nonce)
    agent   proof      {proof}            proof = HMAC(token, "agent", hello, nonce)
    driver  welcome    {...}  or  refused {reason}

With a TLS context the same frames travel inside TLS.

Source:
    HMAC: RFC 2104. Mutual challenge and response: ISO/IEC 9798-4, three-pass authentication.
"""

import hashlib
import hmac
import json
import math
import os
import socket
import struct
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from hops.experiment.errors import ProtocolError

if TYPE_CHECKING:
    import ssl

PROTOCOL = 1
"""Raised whenever a message or a record changes its meaning; both ends must have the same."""

HANDSHAKE_BYTES = 4 * 1024
"""Longest frame of a peer that has not proved itself."""

MESSAGE_BYTES = 16 * 1024 * 1024
"""Longest frame of a peer that has."""

HANDSHAKE_S = 5.0
"""Time that the driver gives a peer to prove itself, however slowly it sends."""

PATIENCE_S = 30.0
"""How long one end waits for the other to read; and an agent for the driver to answer its hello,
because it may still be packing a large function."""

CONNECT_S = 10.0
"""How long an agent waits for the network to bring it to the driver."""

_LENGTH = struct.Struct(">I")


class Frame(NamedTuple):
    """One message."""

    message: dict[str, Any]
    blob: bytes = b""


class Closed(ProtocolError):  # noqa: N818 - an end, not a fault
    """The other end has closed the connection."""


class Silent(ProtocolError):  # noqa: N818 - an absence, not a fault
    """Nothing came within the time limit."""


class Refused(ProtocolError):  # noqa: N818 - an answer, not a fault
    """The driver does not take this agent: their versions differ."""


class Connection:
    """Frames over a connected socket. One thread at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.limit_bytes = HANDSHAKE_BYTES

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self.sock.fileno()

    def send(self, message: dict[str, Any], blob: bytes = b"") -> None:
        """Send one frame whole.

        Raises:
            Closed: The other end is gone.
            Silent: The other end does not read.
        """
        self.send_bytes(encode(message, blob))

    def send_bytes(self, payload: bytes) -> None:
        """Send the payload of one frame, as `encode` made it."""
        try:
            self.sock.settimeout(PATIENCE_S)
            self.sock.sendall(_LENGTH.pack(len(payload)) + payload)
        except TimeoutError as error:
            message = "The other end does not read."
            raise Silent(message) from error
        except OSError as error:
            message = f"The connection was closed: {error}."
            raise Closed(message) from error

    def receive(self, timeout_s: float | None) -> Frame:
        """Wait for one frame.

        Args:
            timeout_s: For the whole frame; `None` waits for ever.

        Raises:
            Closed: The other end is gone.
            Silent: The frame did not come in time.
            ProtocolError: It is longer than allowed, or not a frame.
        """
        return decode(self.receive_bytes(timeout_s))

    def receive_bytes(self, timeout_s: float | None) -> bytes:
        """Wait for the payload of one frame."""
        deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size, deadline))
        if length > self.limit_bytes:
            message = f"A frame of {length} bytes, more than {self.limit_bytes}."
            raise ProtocolError(message)
        return self._read(length, deadline)

    def _read(self, size: int, deadline: float) -> bytes:
        buffer = bytearray()
        while len(buffer) < size:
            left_s = deadline - time.monotonic()
            try:
                self.sock.settimeout(max(0.001, left_s) if left_s < math.inf else None)
                chunk = self.sock.recv(min(size - len(buffer), 1 << 20))
            except TimeoutError as error:
                message = "Nothing came within the time limit."
                raise Silent(message) from error
            except OSError as error:
                message = f"The connection was closed: {error}."
                raise Closed(message) from error
            if not chunk:
                message = "The connection was closed."
                raise Closed(message)
            buffer += chunk
            if left_s < 0 and len(buffer) < size:
                message = "The frame did not come whole within the time limit."
                raise Silent(message)
        return bytes(buffer)

    def close(self) -> None:
        """Close the socket; the other end sees the end of the stream at once."""
        with suppress(OSError):  # the other end was faster
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


def encode(message: dict[str, Any], blob: bytes = b"") -> bytes:
    """Make the payload of a frame."""
    header = json.dumps(message, separators=(",", ":")).encode()
    return b"%b\n%b" % (header, blob) if blob else header


def decode(payload: bytes) -> Frame:
    """Take the payload of a frame apart.

    Raises:
        ProtocolError: It is not a JSON object.
    """
    header, _, blob = payload.partition(b"\n")
    try:
        message = json.loads(header.decode())
    except (ValueError, RecursionError) as error:
        message = "A frame that is not JSON."
        raise ProtocolError(message) from error
    if not isinstance(message, dict):
        message = "A frame that is not a JSON object."
        raise ProtocolError(message)
    return Frame(message, blob)


def listen(host: str) -> socket.socket:
    """Listen on a free port of *host*."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.bind((host, 0))
        listener.listen(socket.SOMAXCONN)
    except OSError:
        listener.close()
        raise
    return listener


def trusting(certificate: str) -> "ssl.SSLContext":
    """Return a TLS context for an agent that takes nobody but the owner of *certificate* (PEM).

    The certificate is made for one run and pinned as a whole, so its names do not matter.
    """
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=certificate)
    return context


def connect(
    address: tuple[str, int],
    token: bytes,
    hello: dict[str, Any],
    *,
    tls: "ssl.SSLContext | None" = None,
    timeout_s: float = PATIENCE_S,
) -> tuple[Connection, dict[str, Any]]:
    """Connect to the driver, and prove both ends.

    Args:
        address: Host and port of the driver.
        token: The secret of the run.
        hello: Who this agent is, and its versions.
        tls: Must verify the driver's certificate; `None` for the loopback interface.
        timeout_s: For each answer of the driver.

    Returns:
        The connection, and the driver's welcome.

    Raises:
        Refused: The driver does not take this agent.
        ProtocolError: It is not the driver.
        OSError: Nobody answers.
    """
    sock = socket.create_connection(address, timeout=min(timeout_s, CONNECT_S))
    try:
        sock.settimeout(timeout_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            sock = tls.wrap_socket(sock, server_hostname=address[0])
        connection = Connection(sock)
        return connection, _introduce(connection, token, hello, timeout_s)
    except BaseException:
        sock.close()
        raise


def _introduce(
    connection: Connection, token: bytes, hello: dict[str, Any], timeout_s: float
) -> dict[str, Any]:
    greeting = encode({**hello, "protocol": PROTOCOL, "nonce": os.urandom(16).hex()})
    connection.send_bytes(greeting)
    challenge = connection.receive(timeout_s).message
    nonce = str(challenge.get("nonce"))
    if not _proves(challenge, _proof(token, b"driver", greeting, nonce)):
        message = "The driver could not prove that it knows the token of the run."
        raise ProtocolError(message)
    connection.send({"proof": _proof(token, b"agent", greeting, nonce)})
    connection.limit_bytes = MESSAGE_BYTES
    welcome = connection.receive(timeout_s).message
    if "refused" in welcome:
        raise Refused(str(welcome["refused"]))
    return welcome


def admit(connection: Connection, token: bytes) -> dict[str, Any]:
    """Let an agent prove itself, and prove the driver to it.

    The caller answers with a welcome, or with `refused` and the reason.

    Returns:
        The agent's hello.

    Raises:
        ProtocolError: The peer is no agent of this run, or took longer than `HANDSHAKE_S`.
    """
    deadline = time.monotonic() + HANDSHAKE_S
    greeting = connection.receive_bytes(HANDSHAKE_S)
    hello = decode(greeting).message
    nonce = os.urandom(16).hex()
    connection.send({"nonce": nonce, "proof": _proof(token, b"driver", greeting, nonce)})
    answer = connection.receive(max(0.001, deadline - time.monotonic())).message
    if not _proves(answer, _proof(token, b"agent", greeting, nonce)):
        message = "A peer that does not know the token of the run."
        raise ProtocolError(message)
    connection.limit_bytes = MESSAGE_BYTES
    return hello


def _proof(token: bytes, role: bytes, greeting: bytes, nonce: str) -> str:
    # The digest has a fixed length, so that no two transcripts run into each other.
    transcript = role + b"\0" + hashlib.sha256(greeting).digest() + nonce.encode(errors="replace")
    return hmac.new(token, transcript, "sha256").hexdigest()


def _proves(message: dict[str, Any], expected: str) -> bool:
    given = str(message.get("proof"))
    return given.isascii() and hmac.compare_digest(given, expected)
