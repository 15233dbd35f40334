"""Whom the client believes to be the service."""

import os
from typing import TYPE_CHECKING, Union

from hops.core.errors import SettingsError

if TYPE_CHECKING:
    import ssl

Trust = Union["ssl.SSLContext", str, os.PathLike[str], None]
"""A TLS context, a PEM file with the authorities to trust, or `None` for those of the system."""


def make_context(trust: Trust) -> "ssl.SSLContext":
    """Return the TLS context of a client; one that is handed over is used as it is.

    Raises:
        SettingsError: The file cannot be read or holds no certificate, or *trust* is a truth value:
            a service that is not verified has to be wanted in so many words.
    """
    import ssl

    if isinstance(trust, ssl.SSLContext):
        return trust
    if isinstance(trust, bool):
        message = f"verify is {trust!r}. Expected a PEM file, an ssl.SSLContext, or None for the "
        message += "authorities of the system."
        raise SettingsError(
            message, hint="a context says what is not verified: check_hostname = False"
        )
    if trust is None:
        return _of_system()
    try:
        return ssl.create_default_context(cafile=os.fspath(trust))
    except OSError as error:  # ssl.SSLError is one, too
        message = f"The authorities to trust cannot be read from {os.fspath(trust)!r}: {error}. "
        message += "Expected a PEM file."
        raise SettingsError(message) from error


def _of_system() -> "ssl.SSLContext":
    """Trust the system's authorities; where Python finds none, those that requests brings."""
    import ssl

    from requests import certs

    context = ssl.create_default_context()
    places = ssl.get_default_verify_paths()
    if places.cafile is None and places.capath is None:
        context.load_verify_locations(certs.where())
    return context
