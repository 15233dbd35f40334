"""Addresses: a base URL that is safe to send a secret to, and paths that mean what was said.

Source:
    URLs: RFC 3986. Every segment is percent-encoded by itself, also its slashes, as the official
    client of Hopsworks does.
"""

from urllib.parse import quote, urlsplit

from hops.core.errors import SettingsError

Segment = str | int
"""One part of a path: a word of the interface, a number, a name, or a whole path in a data set."""


def join(base_url: str, segments: tuple[Segment, ...]) -> str:
    """Append *segments* to *base_url*, each percent-encoded.

    Raises:
        SettingsError: A segment cannot be sent: it is empty, `.` or `..`, which clients and proxies
            remove from a URL, or it is no valid Unicode.

    Example:
        >>> join("https://host/api", ("project", 119, "dataset", "Logs/a b.txt"))
        'https://host/api/project/119/dataset/Logs%2Fa%20b.txt'
    """
    return "/".join([base_url, *map(_encode, segments)])


def check_base_url(url: str) -> str:
    """Return *url* without a slash at its end.

    Raises:
        SettingsError: It is more, or less, than scheme, host, port and path; or it is not
            encrypted, and leads to another machine.
    """
    try:
        parts = urlsplit(url)
        complete = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        in_clear = parts.scheme == "http" and parts.hostname not in {
            "localhost",
            "127.0.0.1",
            "::1",
        }
    except ValueError:
        complete = in_clear = False
    surplus = {"@", "?", "#", "\\", "%"}.intersection(url) or not url.isprintable() or " " in url
    if not complete or surplus:
        # An address with a password in it must not be repeated.
        shown = "The URL of the service" if "@" in url else f"The URL {url!r}"
        message = f"{shown} cannot be used. Expected https://host:port and perhaps a path, "
        message += "without user, query and fragment."
        raise SettingsError(message)
    if in_clear:
        message = f"The URL {url!r} would have the credential sent in clear. Expected https://..."
        raise SettingsError(message)
    return url.rstrip("/")


def _encode(segment: Segment) -> str:
    text = str(segment)
    if text in {"", ".", ".."}:
        message = f"{text!r} cannot be part of the path of a URL. Expected a name."
        raise SettingsError(message)
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        message = f"{text!r} is no valid Unicode, and cannot be part of the path of a URL."
        raise SettingsError(message) from None
