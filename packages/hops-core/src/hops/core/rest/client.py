"""The client: what a caller says, turned into calls, and answers turned into values."""

import json as json_format
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from hops.core.errors import ServiceError
from hops.core.rest.address import Segment, check_base_url, join
from hops.core.rest.credential import Credential
from hops.core.rest.download import Progress, fetch_file
from hops.core.rest.limits import Limits
from hops.core.rest.session import Call, Session
from hops.core.rest.trust import Trust
from hops.core.rest.upload import send_file

Query = Mapping[str, str | float | Sequence[str] | None]
"""Name to value. A sequence repeats the name; `None` leaves it out; truth is `True` and `False`."""


class RestClient:
    """Calls a REST interface, with a time limit on each call and errors that have a type.

    Each call takes the segments of a path: `client.get("project", 119, "dataset", "Logs/a b.txt")`.
    Each is percent-encoded by itself. What comes back is the JSON value of the answer, `None` where
    the answer is empty. May be shared by threads; not by processes. A context manager.

    Every call raises:

    * `AuthenticationError`, `ResourceNotFoundError`, `ConflictError` or another `ServiceError`: the
      service said no, or said what cannot be understood. `status` and `code` tell more.
    * `ServiceUnreachableError`: no answer in time, none at all, or from somebody who cannot prove
      to be the service. `AnswerCutError`: the answer broke off. Whether a POST had its effect is
      not known then.
    * `SettingsError`: a segment that cannot be sent.

    A DELETE whose answer was lost is sent again, and may find nothing: `ResourceNotFoundError`.
    """

    def __init__(
        self,
        base_url: str,
        credential: Credential,
        *,
        verify: Trust = None,
        limits: Limits | None = None,
    ) -> None:
        """Prepare a client; nothing is sent yet.

        The proxy is what the environment says at this moment (`HTTPS_PROXY`, `NO_PROXY`).

        Args:
            base_url: What stands in front of the segments: scheme, host, port and path.
            credential: Who the client is; sent to no other host.
            verify: Whom to believe: a PEM file with the authorities, or a TLS context, which says
                what is verified. `None`: the authorities of the system.
            limits: How long to wait and how often to try again. `None`: as in `Limits()`.

        Raises:
            SettingsError: The URL, or what to verify with, cannot be used.
        """
        self._base_url = check_base_url(base_url)
        self._session = Session(self._base_url, credential, verify, limits or Limits())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def get(self, *segments: Segment, query: Query | None = None) -> Any:  # noqa: ANN401 - any JSON value
        """Return what is at the path."""
        return self._fetch(self._call("GET", segments, query))

    def post(
        self,
        *segments: Segment,
        query: Query | None = None,
        json: object = None,
        form: Mapping[str, str] | None = None,
    ) -> Any:  # noqa: ANN401 - any JSON value
        """Send a value or a form; never sent again once the server may have seen it.

        Args:
            segments: The path.
            query: What follows it.
            json: The body, as JSON. `None`: no such body.
            form: Fields of a form instead. `None`: no form.
        """
        return self._fetch(self._call("POST", segments, query, json, form))

    def put(self, *segments: Segment, query: Query | None = None, json: object = None) -> Any:  # noqa: ANN401 - any JSON value
        """Put a value at the path; *json* as in `post`."""
        return self._fetch(self._call("PUT", segments, query, json))

    def delete(self, *segments: Segment, query: Query | None = None) -> Any:  # noqa: ANN401 - any JSON value
        """Remove what is at the path."""
        return self._fetch(self._call("DELETE", segments, query))

    def items(
        self, *segments: Segment, query: Query | None = None, page_size: int = 1000
    ) -> Iterator[Any]:
        """Yield the items of a collection, page by page, while the caller asks for more.

        A page ends the collection if with it there are `count` items, or, where the service does
        not count, if it has another size than asked for.

        Args:
            segments: The path of the collection.
            query: What to ask for beside `offset` and `limit`.
            page_size: Items to ask for at a time.

        Source:
            Shape of a collection: the REST interface of Hopsworks.
        """
        offset = 0
        while True:
            page = {**(query or {}), "offset": offset, "limit": page_size}
            call = self._call("GET", segments, page)
            items, count = _read_page(call, self._fetch(call))
            yield from items
            offset += len(items)
            ended = len(items) != page_size if count is None else offset >= count
            if ended or not items:
                return

    def download(
        self,
        *segments: Segment,
        to: str | os.PathLike[str],
        query: Query | None = None,
        progress: Progress | None = None,
    ) -> Path:
        """Save what is at the path as the file *to*, which appears whole or not at all.

        What came before a connection broke is kept if the service names the version of the content
        (`ETag` or `Last-Modified`): in a hidden file beside *to*, from which this call goes on, and
        a later one after this has failed or was killed. Otherwise each attempt begins anew.

        Args:
            segments: The path of the content.
            to: The file, replaced if it is there; its directory has to exist.
            query: What follows the path.
            progress: Called with the bytes so far, and the bytes of the whole or `None`.

        Returns:
            The file.
        """
        fetch_file(self._session, self._call("GET", segments, query), Path(to), progress)
        return Path(to)

    def upload(
        self,
        *segments: Segment,
        file: str | os.PathLike[str],
        name: str | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Send a file in pieces; a piece that got lost is sent again, the others are not.

        Args:
            segments: The path of the directory that it goes into, behind `upload`.
            file: The file on this machine.
            name: Its name over there. `None`: the name that it has.
            progress: Called with the bytes so far, and the bytes of the whole.

        Raises:
            SettingsError: The file became shorter meanwhile.
        """
        call = self._call("POST", segments, None)
        send_file(self._session, call, Path(file), name or Path(file).name, progress)

    def _call(
        self,
        method: str,
        segments: tuple[Segment, ...],
        query: Mapping[str, Any] | None,
        json: object = None,
        form: Mapping[str, str] | None = None,
    ) -> Call:
        call = Call(method, join(self._base_url, segments), query or {}, body=form)
        if json is None:
            return call
        body = json_format.dumps(json, allow_nan=False).encode()
        return Call(method, call.url, call.query, {"Content-Type": "application/json"}, body)

    def _fetch(self, call: Call) -> Any:  # noqa: ANN401 - any JSON value
        body = self._session.fetch(call)
        if not body.strip():
            return None
        try:
            return json_format.loads(body)
        except (ValueError, RecursionError) as error:
            message = f"{call} answered {len(body)} bytes that are no JSON."
            raise ServiceError(message) from error


def _read_page(call: Call, answer: object) -> tuple[list[Any], int | None]:
    """Return the items of a page, and how many the collection has, where it says so."""
    if answer is None:
        return [], None
    if isinstance(answer, list):  # some collections come whole and without a frame
        return answer, len(answer)
    items = answer.get("items") or [] if isinstance(answer, dict) else None
    if not isinstance(items, list) or not isinstance(answer, dict):
        message = f"{call} answered what is no collection: a {type(answer).__name__}."
        raise ServiceError(message)
    count = answer.get("count")
    return items, count if type(count) is int else None
