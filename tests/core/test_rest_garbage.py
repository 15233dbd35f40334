"""Whatever comes back, also what is no HTTP: values, or errors of ours."""

import contextlib
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from hops.core import HopsError
from hops.core.rest import ApiKey, Limits, RestClient

NEVER = Limits(connect_s=30, read_s=30, retries=1, pause_s=0, longest_pause_s=0)

numbers = st.sampled_from(["0", "1", "5", "-1", "x", "", "9" * 30, "1, 2"])
headers = st.one_of(
    st.builds("Content-Length: {}".format, numbers),
    st.builds("Retry-After: {}".format, numbers),
    st.builds("Content-Range: bytes {0}-{0}/{0}".format, numbers),
    st.sampled_from(
        [
            "Transfer-Encoding: chunked",
            "Content-Encoding: gzip",
            "Content-Encoding: deflate, br",
            "Content-Type: application/json; charset=none",
            "Set-Cookie: a=b; expires=never",
            'ETag: "1"',
            "Location: https://[",
            "Location: //\xff",
            "Connection: close",
            "no header at all",
        ]
    ),
    st.text(st.characters(max_codepoint=255), max_size=20),
)
lines = st.builds(
    "HTTP/1.1 {} {}".format, st.integers(99, 1000), st.sampled_from(["OK", "", "\xff"])
)
bodies = st.binary() | st.sampled_from([b'{"items": [1]}', b"[1]", b"5\r\nabcde\r\n0\r\n\r\n"])
answers = st.binary() | st.builds(
    lambda line, fields, body: "\r\n".join([line, *fields, "", ""]).encode("latin-1") + body,
    lines,
    st.lists(headers, max_size=4),
    bodies,
)


class Babbler(socketserver.ThreadingTCPServer):
    """Answers every request with the same bytes, and hangs up."""

    daemon_threads = True
    answer = b""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Connection)

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,)).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class Connection(socketserver.StreamRequestHandler):
    """One request and its answer."""

    server: Babbler

    def handle(self) -> None:
        """Read the head of the request."""
        while self.rfile.readline().strip():
            pass
        self.wfile.write(self.server.answer)


@pytest.fixture(scope="module")
def babbler() -> Iterator[Babbler]:
    """Return a server that a test tells what to say."""
    with Babbler() as server:
        yield server


@given(answer=answers)
@example(b"HTTP/1.1 302 Found\r\nLocation: https://[\r\nContent-Length: 0\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc")
@example(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
@example(b"HTTP/1.1 200 OK\r\nContent-Length:" + b"0" * 5000 + b"\r\n\r\n")
@example(b"HTTP/1.1 206 Partial\r\nContent-Range: bytes " + b"9" * 5000 + b"-\r\n\r\n")
@example(b"HTTP/1.1 503 Busy\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n")
@example(b"\x00" * 100_000)
@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_only_errors_of_ours_come_out(babbler: Babbler, tmp_path: Path, answer: bytes) -> None:
    """A call, a collection and a download end with a value or with a `HopsError`."""
    babbler.answer = answer
    url = f"http://127.0.0.1:{babbler.server_address[1]}"
    with RestClient(url, ApiKey("prefix.secret"), limits=NEVER) as client:
        for call in (
            lambda: client.get("x"),
            lambda: next(client.items("x"), None),
            lambda: client.download("x", to=tmp_path / "file"),
        ):
            with contextlib.suppress(HopsError):
                call()

    assert list(tmp_path.glob("*.part")) == []
