"""A real HTTPS server in the process of a test, which notes what it is asked and can misbehave."""

import json
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from hops.core.testing.authority import Authority

if TYPE_CHECKING:
    import ssl

_PATIENCE_S = 60
"""How long a silent answer keeps its thread, if nobody closes the server."""


class Fault(Enum):
    """What goes wrong with an answer."""

    SILENT = "silent"
    """The request is read, and nothing ever comes back."""
    DROPPED = "dropped"
    """The request is read, and the connection is closed."""
    CUT = "cut"
    """Half of the body comes, then the connection is closed."""
    STALLED = "stalled"
    """Half of the body comes, and then nothing more."""


@dataclass(frozen=True)
class Request:
    """What the server was asked."""

    method: str

    target: str
    """Path and query as they were on the wire."""

    headers: Mapping[str, str]
    """Lower-case name to value."""

    body: bytes

    @property
    def segments(self) -> tuple[str, ...]:
        """The parts of the path, each without its percent-encoding."""
        return tuple(map(unquote, urlsplit(self.target).path.split("/")[1:]))

    @property
    def query(self) -> dict[str, list[str]]:
        """Name to values, without their percent-encoding."""
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    def json(self) -> Any:  # noqa: ANN401 - any JSON value
        """Return what the body holds."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Response:
    """What the server shall answer."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    fault: Fault | None = None
    """`None`: the answer comes as it is."""

    @classmethod
    def of(cls, value: object, status: int = 200, **headers: str) -> Self:
        """Answer *value* as JSON; an underscore in the name of a header is a hyphen."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(json.dumps(value).encode(), status, {"Content-Type": "application/json"} | named)


Answer = Callable[[Request], Response]
"""What to answer; called in the thread of the connection."""


def in_turn(*responses: Response) -> Answer:
    """Answer one after the other, and the last again and again."""
    left = list(responses)
    return lambda _: left.pop(0) if left[1:] else left[0]


class HttpsServer:
    """Serves on a free port of 127.0.0.1, from construction until `close()`; a context manager.

    Example: `with HttpsServer(lambda request: Response.of({"path": request.target})) as server:`
    """

    answer: Answer
    """Says what each request gets; may be replaced at any time."""

    authority: Authority
    """Who a client has to trust."""

    requests: list[Request]
    """What it was asked, in the order in which the requests were complete."""

    url: str
    """Scheme, host name and port, without a path."""

    def __init__(
        self,
        answer: Answer,
        *,
        authority: Authority | None = None,
        host: str = "localhost",
        days: int = 30,
    ) -> None:
        """Begin to serve.

        Args:
            answer: Says what each request gets.
            authority: Who signs the server's certificate; `None` for one of its own.
            host: What the certificate is valid for.
            days: For how long it is; below 0 for one that has expired.

        Raises:
            MissingDependencyError: `cryptography` is not installed.
        """
        self.authority = authority or Authority()
        self.answer = answer
        self.requests = []
        self._server = _Server(self.authority.server_context(host, days=days), self._serve)
        self.url = f"https://{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving; answers that are silent or stalled end."""
        self._server.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self, request: Request) -> Response:
        self.requests.append(request)
        return self.answer(request)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, context: "ssl.SSLContext", answer: Answer) -> None:
        self.released = threading.Event()
        self.answer = answer
        self._context = context
        super().__init__(("127.0.0.1", 0), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as in the base
        """Shake hands in the thread of the connection, so that a slow client keeps only its own."""
        with self._context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as in the base
        """Say nothing where a client has left or did not trust the server."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def serve(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self.rfile.read(length))
        self._send(self.server.answer(request))

    do_DELETE = do_GET = do_HEAD = do_POST = do_PUT = serve  # noqa: N815 - as http.server asks

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - as in the base
        """Be silent: the requests are noted."""

    def _send(self, response: Response) -> None:
        if response.fault in {Fault.SILENT, Fault.DROPPED}:
            self._break_off(response.fault)
            return
        self.send_response(response.status)
        self.send_header("Content-Length", str(len(response.body)))
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if response.fault is None:
            self.wfile.write(response.body)
        else:
            self.wfile.write(response.body[: len(response.body) // 2])
            self._break_off(response.fault)

    def _break_off(self, fault: Fault) -> None:
        if fault in {Fault.SILENT, Fault.STALLED}:
            self.server.released.wait(_PATIENCE_S)
        self.close_connection = True
