"""Turning an answer that is no success into one of our errors.

Source:
    Numbers and shape of the error body: the REST interface of Hopsworks.
"""

import json
from typing import NamedTuple

from hops.core.errors import (
    AuthenticationError,
    ConflictError,
    ResourceNotFoundError,
    ServiceError,
)

LONGEST_EXPLANATION = 500
"""How many characters of the server's own words go into a message."""

ERROR_OF_STATUS: dict[int, type[ServiceError]] = {
    401: AuthenticationError,
    403: AuthenticationError,
    404: ResourceNotFoundError,
    409: ConflictError,
    410: ResourceNotFoundError,
    412: ConflictError,
    423: ConflictError,
}
"""What a status means; any other is a plain `ServiceError`."""

ERROR_OF_CODE: dict[int, type[ServiceError]] = {
    130009: ResourceNotFoundError,  # job
    160048: ResourceNotFoundError,  # secret
    190000: ResourceNotFoundError,  # topic
    190002: ConflictError,  # topic exists
    190014: ConflictError,  # schema in use
    190018: ResourceNotFoundError,  # version of a schema
    270008: ResourceNotFoundError,  # feature store
    270009: ResourceNotFoundError,  # feature group
    270012: ResourceNotFoundError,  # training dataset
    270042: ResourceNotFoundError,  # storage connector
    270089: ConflictError,  # feature group exists
    270101: ResourceNotFoundError,  # tag
    270160: ResourceNotFoundError,  # transformation function
    270179: ConflictError,  # feature view exists
    270181: ResourceNotFoundError,  # feature view
    270227: ResourceNotFoundError,  # commit
    270228: ResourceNotFoundError,  # statistics
    270233: ResourceNotFoundError,  # monitoring
    270248: ResourceNotFoundError,  # logging
    320002: AuthenticationError,  # unknown key
    320003: AuthenticationError,  # role
    320004: AuthenticationError,  # scope
    320012: AuthenticationError,  # malformed key
    370002: ResourceNotFoundError,  # tag
}
"""What a number means, whatever the status below 500; it is more exact than the status."""

_HINT_OF_CODE = {
    320002: "make an API key in the account settings of Hopsworks",
    320003: "use the API key of a user who has the role for this",
    320004: "make an API key with the scope for this in the account settings of Hopsworks",
    320012: "copy the whole API key, both sides of the dot",
}

_CLIENT_ERRORS = range(400, 500)
_REDIRECTS = range(300, 400)


class Explanation(NamedTuple):
    """What an error body says."""

    code: int | None
    """`None` where there is none."""

    text: str
    """One line of printable characters; empty where there are none."""


def explain(body: bytes) -> Explanation:
    """Read an error body, whatever it is: Hopsworks' own, a proxy's page, or garbage."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return Explanation(None, _clean(body.decode(errors="replace")))
    if not isinstance(content, dict):
        return Explanation(None, _clean(str(content)))
    code = content.get("errorCode")
    words = [content.get(name) for name in ("errorMsg", "usrMsg", "devMsg")]
    said = dict.fromkeys(word for word in words if isinstance(word, str) and word.strip())
    return Explanation(code if type(code) is int else None, _clean(" ".join(said)))


def choose_error(status: int, code: int | None) -> type[ServiceError]:
    """Return the class for a status and a number; the server's own failures have no better one."""
    if status not in _CLIENT_ERRORS:
        return ServiceError
    return ERROR_OF_CODE.get(code or 0) or ERROR_OF_STATUS.get(status, ServiceError)


def refusal(call: str, status: int, body: bytes, location: str | None = None) -> ServiceError:
    """Make the error for an answer.

    Args:
        call: Method and URL, for the message.
        status: HTTP status, anything but a success.
        body: What came with it, or the beginning of it.
        location: Where a redirect leads; `None` where the answer is no redirect.
    """
    if status in _REDIRECTS:
        return _redirected(call, status, location)
    code, text = explain(body)
    number = "" if code is None else f", Hopsworks error {code}"
    message = f"{call} failed with status {status}{number}: {text or 'no explanation'}"
    hint = _HINT_OF_CODE.get(code or 0)
    return choose_error(status, code)(message, hint=hint, status=status, code=code)


def _redirected(call: str, status: int, location: str | None) -> ServiceError:
    message = f"{call} answered with status {status}, a redirect to {_clean(location or '')!r}. "
    message += "Expected an answer: redirects are not followed, so that no other host sees the "
    message += "credential."
    return ServiceError(
        message, hint="use the address that it leads to, if you trust it", status=status
    )


def _clean(text: str) -> str:
    """Return *text* in one line, shortened, without what could steer a terminal."""
    line = " ".join(text.split())
    printable = "".join(character if character.isprintable() else "?" for character in line)
    if len(printable) <= LONGEST_EXPLANATION:
        return printable
    return f"{printable[:LONGEST_EXPLANATION]}..."
