"""Fetching a file whole, over connections that break.

Source:
    Ranges and their conditions: RFC 9110, sections 13.1.5 and 14.
"""

import re
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from hops.core.errors import ServiceError, SettingsError
from hops.core.rest.partial import Partial
from hops.core.rest.session import CHUNK_BYTES, AnswerCutError, Call, Session, reading

if TYPE_CHECKING:
    from requests import Response

Progress = Callable[[int, int | None], None]
"""Takes the bytes so far and the bytes of the whole, which is `None` where nobody knows it."""


def fetch_file(session: Session, call: Call, target: Path, progress: Progress | None) -> None:
    """Save the answer to *call* as *target*.

    Raises:
        SettingsError: *target* is a directory.
    """
    if target.is_dir():
        message = f"{str(target)!r} is a directory. Expected the path of a file."
        raise SettingsError(message)
    plain = call.with_headers(Accept_Encoding="identity")  # offsets count the bytes of the file
    download = _Download(session, plain, target, progress or _ignore)
    try:
        download.run()
    finally:
        download.close()


class _Download:
    def __init__(self, session: Session, call: Call, target: Path, progress: Progress) -> None:
        self._session = session
        self._call = call
        self._target = target
        self._progress = progress
        self._partial: Partial | None = None

    def run(self) -> None:
        attempts = self._session.attempts(self._call)
        while True:
            before = self._size()
            try:
                while not self._attempt():
                    pass
            except AnswerCutError as error:
                if self._size() > before:
                    attempts.start_over()
                attempts.again(error)
            else:
                return

    def close(self) -> None:
        if self._partial:
            self._partial.close()

    def _size(self) -> int:
        """Return what the next attempt need not fetch."""
        return self._partial.size if self._partial and self._partial.version else 0

    def _attempt(self) -> bool:
        """Fetch what is missing; false where only now it is known how much is missing."""
        try:
            return self._fetch()
        except ServiceError as error:
            gone = error.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
            if gone and self._start_over():
                return False
            raise

    def _fetch(self) -> bool:
        with self._session.open(self._request()) as response:
            partial = self._partial_for(response)
            if partial is None:
                return False
            whole = _whole(response, partial.size)
            self._progress(partial.size, whole)
            with reading(self._call):
                for piece in response.iter_content(CHUNK_BYTES):
                    partial.write(piece)
                    self._progress(partial.size, whole)
        if whole is not None and partial.size < whole:
            message = f"{self._call} answered with less than the rest of the file."
            raise AnswerCutError(message)
        partial.publish(self._target)
        return True

    def _start_over(self) -> bool:
        """Forget what has come; return whether there was anything."""
        had = self._size() > 0
        if self._partial:
            self._partial.clear()
        return had

    def _request(self) -> Call:
        if not self._size() or not self._partial or not self._partial.version:
            return self._call
        since = f"bytes={self._partial.size}-"
        return self._call.with_headers(Range=since, If_Range=self._partial.version)

    def _partial_for(self, response: "Response") -> Partial | None:
        """Return where the body belongs; `None` if another call has left a part of it already."""
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            return self._continued(response)
        version = _version(response)
        if self._partial is None:
            self._partial = Partial(self._target, self._call.url, version)
            if 0 < self._partial.size < (_length(response) or 0):
                return None
        elif self._partial.version != version:
            self._partial.clear()
            self._partial.close()
            self._partial = Partial(self._target, self._call.url, version)
        self._partial.clear()
        return self._partial

    def _continued(self, response: "Response") -> Partial | None:
        where = response.headers.get("Content-Range", "")
        begin = re.match(r"bytes ([0-9]{1,19})-", where)
        if self._partial and _version(response) not in {None, self._partial.version}:
            self._start_over()  # who answers does not know If-Range: this is of another content
            return None
        if not self._partial or not begin or int(begin[1]) != self._partial.size:
            self._start_over()  # or every later call would meet the same
            message = f"{self._call} answered with the part {where!r}, which was not asked for."
            raise ServiceError(message, status=response.status_code)
        return self._partial


def _version(response: "Response") -> str | None:
    """Return what tells this content from another; `None` where nothing does so for every byte."""
    if "Content-Encoding" in response.headers:
        return None
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


def _whole(response: "Response", before: int) -> int | None:
    """Return the size of the whole file, of which *before* bytes are there; `None`: not known."""
    total = re.search(r"/([0-9]{1,19})$", response.headers.get("Content-Range", ""))
    if total:
        return int(total[1])
    rest = _length(response)
    return None if rest is None else before + rest


def _length(response: "Response") -> int | None:
    text = response.headers.get("Content-Length", "")
    known = re.fullmatch(r"[0-9]{1,19}", text) and "Content-Encoding" not in response.headers
    return int(text) if known else None


def _ignore(done: int, total: int | None) -> None:
    """Stand in where nobody wants to know."""
