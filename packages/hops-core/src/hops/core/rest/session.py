"""Sending a request and opening its answer: the one place that knows requests and urllib3.

What the credential is for goes to the base URL only: redirects are not followed, the user's netrc
file is not read, and trust is what the caller said, not what requests adds to it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from hops.core.errors import ServiceUnreachableError
from hops.core.rest.credential import Credential, conceal
from hops.core.rest.limits import Limits
from hops.core.rest.refusal import refusal
from hops.core.rest.trust import Trust, make_context

if TYPE_CHECKING:
    import ssl

    import requests
    from requests import PreparedRequest, Response
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

REPEATABLE = frozenset({"GET", "HEAD", "PUT", "DELETE"})
"""Methods that do the same when they are done twice."""

BUSY = frozenset({429, 502, 503, 504})
"""Statuses that another attempt may not get."""

CHUNK_BYTES = 1 << 16
"""How much of a stream is read at a time, and of the body of an error at most."""

_SUCCESS = range(200, 300)


class AnswerCutError(ServiceUnreachableError):
    """The answer began, and its end did not come."""


@dataclass(frozen=True)
class Call:
    """One request, but for the credential."""

    method: str
    url: str
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Mapping[str, Any] | None = None

    file: tuple[str, bytes] | None = None
    """A part of a form: its file name and its content."""

    repeatable: bool = False
    """Whether it may be sent twice, although its method says no such thing."""

    def __str__(self) -> str:
        return f"{self.method} {self.url}"

    def with_headers(self, **headers: str) -> "Call":
        """Return the same call with more headers; an underscore in a name is a hyphen."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **more})


class Session:
    """Connections to one service, shared by threads."""

    def __init__(self, base_url: str, credential: Credential, trust: Trust, limits: Limits) -> None:
        self._credential = credential
        self._limits = limits
        context = make_context(trust)
        retry = _make_retry(limits)
        # A connection pool repeats all or nothing of a method, so that each kind has its own.
        self._retry = {False: retry, True: retry.new(allowed_methods=REPEATABLE | {"POST"})}
        self._wires = {
            kind: _make_wire(base_url, context, each) for kind, each in self._retry.items()
        }

    def close(self) -> None:
        """Close the connections."""
        for wire in self._wires.values():
            wire.close()

    def fetch(self, call: Call) -> bytes:
        """Send *call*, and return the whole body of its answer.

        Raises:
            AuthenticationError: The service does not accept the credential.
            ServiceError: It says no for another reason.
            ServiceUnreachableError: No answer, or not the whole.
        """
        attempts = Attempts(self._retry[call.repeatable], call)
        while True:
            try:
                with self.open(call) as response, reading(call):
                    return response.content
            except AnswerCutError as error:
                attempts.again(error)

    def attempts(self, call: Call) -> "Attempts":
        """Count from here on how often the answer to *call* is cut."""
        return Attempts(self._retry[call.repeatable], call)

    @contextmanager
    def open(self, call: Call) -> Iterator["Response"]:
        """Send *call*; inside of the context the body of the answer can be read, with `reading`.

        Raises:
            AuthenticationError: The service does not accept the credential.
            ServiceError: It says no for another reason.
            ServiceUnreachableError: No answer came.
        """
        authorization = self._credential.authorization()
        response = self._send(call, authorization)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            renewed = self._credential.authorization()
            if renewed != authorization:  # the cluster has written another token since
                response.close()
                authorization, response = renewed, self._send(call, renewed)
        with response:
            if response.status_code not in _SUCCESS:
                body = conceal(_beginning(response).decode(errors="replace"), authorization)
                location = response.headers.get("Location")
                raise refusal(str(call), response.status_code, body.encode(), location)
            yield response

    def _send(self, call: Call, authorization: str) -> "Response":
        with _translated(call):
            return self._wires[call.repeatable].request(
                call.method,
                call.url,
                params=call.query,
                data=call.body,
                files={"file": call.file} if call.file else None,
                headers={**call.headers, "Authorization": authorization},
                timeout=(self._limits.connect_s, self._limits.read_s),
                allow_redirects=False,
                stream=True,
            )


class Attempts:
    """Counts how often the answer to one call was cut."""

    def __init__(self, retry: "Retry", call: Call) -> None:
        self._first = self._retry = retry
        self._call = call

    def again(self, error: AnswerCutError) -> None:
        """Wait until the call may be sent again.

        Raises:
            AnswerCutError: *error*, where it may not.
        """
        from urllib3.exceptions import HTTPError, ProtocolError

        lost = ProtocolError(str(error))
        try:
            self._retry = self._retry.increment(self._call.method, self._call.url, error=lost)
        except HTTPError:
            raise error from error.__cause__
        self._retry.sleep()

    def start_over(self) -> None:
        """Forget the cuts so far: something was gained since."""
        self._retry = self._first


@contextmanager
def reading(call: Call) -> Iterator[None]:
    """Turn what goes wrong while a body is read into `AnswerCutError`."""
    from requests import RequestException

    try:
        yield
    except RequestException as error:
        message = f"The answer to {call} broke off: {error}"
        raise AnswerCutError(message) from error


@contextmanager
def _translated(call: Call) -> Iterator[None]:
    from requests import RequestException, Timeout
    from requests.exceptions import SSLError
    from urllib3.exceptions import HTTPError

    try:
        yield
    except SSLError as error:
        message = f"{call} was not sent, because the service cannot be trusted: {error}"
        hint = "name the authority that signed its certificate: verify='authority.pem'"
        raise ServiceUnreachableError(message, hint=hint) from error
    except Timeout as error:
        message = f"{call} got no answer in time: {error}"
        raise ServiceUnreachableError(message) from error
    except (RequestException, HTTPError) as error:
        message = f"{call} got no answer: {error}"
        raise ServiceUnreachableError(message) from error


def _beginning(response: "Response") -> bytes:
    """Return as much of the body of an error as can be had and is worth reading."""
    from requests import RequestException

    try:
        return next(response.iter_content(CHUNK_BYTES), b"")
    except RequestException:
        return b""


def _make_retry(limits: Limits) -> "Retry":
    from urllib3.util import Retry

    return Retry(
        total=limits.retries,
        other=0,  # such as a certificate that is wrong: it stays wrong
        redirect=False,
        allowed_methods=REPEATABLE,
        status_forcelist=BUSY,
        backoff_factor=limits.pause_s,
        backoff_jitter=limits.pause_s,
        backoff_max=limits.longest_pause_s,
        retry_after_max=limits.longest_pause_s,
        raise_on_status=False,
    )


def _make_wire(base_url: str, context: "ssl.SSLContext", retry: "Retry") -> "requests.Session":
    import requests
    from requests.utils import get_environ_proxies

    class Wire(requests.Session):
        """Leaves redirects alone; requests would prepare the next call, and read all of this."""

        def get_redirect_target(self, resp: object) -> None:
            """Find none."""

    wire = Wire()
    wire.trust_env = False  # would send the password of a netrc file instead of the credential
    wire.proxies = get_environ_proxies(base_url)
    wire.headers["User-Agent"] = "hops-core"
    adapter = _make_adapter(context, retry)
    wire.mount("https://", adapter)
    wire.mount("http://", adapter)
    return wire


def _make_adapter(context: "ssl.SSLContext", retry: "Retry") -> "HTTPAdapter":
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        """Trusts what *context* trusts; requests would add its own list of authorities."""

        def build_connection_pool_key_attributes(
            self, request: "PreparedRequest", verify: object, cert: object = None
        ) -> tuple[dict[str, Any], dict[str, Any]]:
            del verify, cert  # *context* says it all
            host, _ = super().build_connection_pool_key_attributes(request, verify=True)
            if host["scheme"] != "https":
                return host, {}
            # Otherwise urllib3 compares the names although *context* does not.
            name = None if context.check_hostname else False
            return host, {"ssl_context": context, "assert_hostname": name}

        def cert_verify(self, conn: object, url: str, verify: object, cert: object) -> None:
            """Add nothing to *context*."""

    return Adapter(max_retries=retry)
