"""Who the client says it is: an API key, or a token that the cluster renews.

Source:
    Header and files: the REST interface of Hopsworks.
"""

import os
import re
import time
from pathlib import Path
from typing import Protocol

from hops.core.errors import AuthenticationError, SettingsError

TOKEN = "token.jwt"  # noqa: S105 - the name of a file
"""The file in the directory of secrets that the cluster rewrites before the token expires."""

API_KEY = "api.key"
"""The file in the directory of secrets that is there where no token is."""

RENEWALS = 3
"""How often an empty token file is read again: the cluster renews it in place."""

RENEWAL_S = 0.05
"""How long before each time."""

_HIDDEN = "***"


class Credential(Protocol):
    """Says what to send as `Authorization`."""

    def authorization(self) -> str:
        """Return the scheme, a space, and the secret.

        Called for every request, and once more when the server does not accept what was sent: if
        the answer is another one by then, the request is sent again.

        Raises:
            AuthenticationError: There is no secret at this moment.
        """


class ApiKey:
    """An API key, which stays the same."""

    def __init__(self, key: str) -> None:
        """Take the key; white space around it, such as the end of a line, is none of it.

        Raises:
            SettingsError: The key is empty, or has characters that no key has.
        """
        self._key = _check(key, "The API key", SettingsError)

    def authorization(self) -> str:
        """Return `ApiKey` and the key."""
        return f"ApiKey {self._key}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_HIDDEN})"


class TokenFile:
    """A JSON Web Token in a file that the cluster rewrites; read anew for every request."""

    path: Path

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Remember where the token is."""
        self.path = Path(path)

    def authorization(self) -> str:
        """Return `Bearer` and the token that is in the file now.

        Raises:
            AuthenticationError: The file cannot be read, is empty, or holds no token.
        """
        content = self._read()
        for _ in range(RENEWALS):
            if content.strip():
                break
            time.sleep(RENEWAL_S)
            content = self._read()
        place = f"The token in {str(self.path)!r}"
        return f"Bearer {_check(content, place, AuthenticationError)}"

    def _read(self) -> str:
        try:
            return self.path.read_bytes().decode(errors="replace")
        except OSError as error:
            message = f"The token file {str(self.path)!r} cannot be read: {error.strerror}."
            raise AuthenticationError(message) from error

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"


def find_credential(directory: str | os.PathLike[str]) -> ApiKey | TokenFile:
    """Take the token of a cluster's directory of secrets, else the API key there.

    Args:
        directory: What `SECRETS_DIR` names in a container of the cluster.

    Raises:
        SettingsError: Neither file is there, or the key cannot be read.
    """
    token, key = Path(directory, TOKEN), Path(directory, API_KEY)
    if token.is_file():
        return TokenFile(token)
    try:
        return ApiKey(key.read_bytes().decode(errors="replace"))
    except OSError as error:
        message = f"The directory {str(directory)!r} has neither {TOKEN!r} nor a readable "
        message += f"{API_KEY!r}. Expected one of them."
        raise SettingsError(message) from error


def conceal(text: str, authorization: str) -> str:
    """Return *text* without the secret of *authorization*, should it be in there."""
    return text.replace(authorization.partition(" ")[2], _HIDDEN)


def _check(secret: str, name: str, error: type[AuthenticationError | SettingsError]) -> str:
    """Return *secret* without white space around it; what is wrong is said without showing it."""
    stripped = secret.strip()
    if not stripped:
        message = f"{name} is empty."
        raise error(message)
    if not re.fullmatch(r"[\x21-\x7e]+", stripped):
        message = f"{name} has white space or characters beyond ASCII in it. Expected neither."
        raise error(message)
    return stripped
