"""A TLS server that demands a certificate of its client, and says whose it got."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

from authority import Authority, Issued

TIMEOUT_S = 20


@contextmanager
def serve(folder: Path, own: Issued, trusted: Authority) -> Iterator[int]:
    """Serve one connection on 127.0.0.1; yield the port.

    Args:
        folder: For the file that the server's key has to be in.
        own: What the server shows.
        trusted: Who has to have issued the certificate of the client.
    """
    file = folder / "server.pem"
    file.write_text(own.certificate + own.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    context.load_verify_locations(cadata=trusted.pem)
    context.verify_mode = ssl.CERT_REQUIRED
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT_S)
        thread = Thread(target=_answer, args=(listener, context))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join()


def call(port: int, context: ssl.SSLContext, host: str = "localhost") -> str:
    """Connect as a client that wants *host*; return the name that the server saw."""
    with (
        socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as connection,
    ):
        return connection.recv(1024).decode()


def _answer(listener: socket.socket, context: ssl.SSLContext) -> None:
    plain, _ = listener.accept()
    plain.settimeout(TIMEOUT_S)
    with (
        plain,
        suppress(OSError),  # the client hears why, and the test looks at the client
        context.wrap_socket(plain, server_side=True) as connection,
    ):
        found = connection.getpeercert() or {}
        connection.sendall(repr(found.get("subject")).encode())


def show(common_name: str) -> str:
    """Return what `call` returns where the client's certificate names nothing but this."""
    return repr(((("commonName", common_name),),))
