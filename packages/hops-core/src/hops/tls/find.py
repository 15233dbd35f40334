"""Finding the program's own certificates: in its container, else in `MATERIAL_DIRECTORY`.

Source:
    The files that Hopsworks puts into a container: three in the working directory under Spark, the
    same three in one directory, named after the project user, elsewhere.
"""

import os
from pathlib import Path
from typing import NamedTuple

from hops.core import environment
from hops.tls.errors import MaterialError, MaterialFormatError, MaterialNotFoundError
from hops.tls.keystore import read_keystore
from hops.tls.material import Material

_TRIES = 3
"""The cluster replaces the three files one after the other: one may be older than the next."""


class _Names(NamedTuple):
    what: str
    container: str
    suffix: str


_KEY_STORE = _Names("key store", "k_certificate", "__kstore.jks")
_TRUST_STORE = _Names("trust store", "t_certificate", "__tstore.jks")
_PASSWORD = _Names("password of the key store", "material_passwd", "__cert.key")


def find_material() -> Material:
    """Read the key store and the trust store of this program, as they are at this moment.

    Each of the files is taken from the working directory if it is there (`k_certificate`,
    `t_certificate`, `material_passwd`: a Spark container), else from `MATERIAL_DIRECTORY`
    (`<user>__kstore.jks`, `<user>__tstore.jks`, `<user>__cert.key`, where the user is
    `HADOOP_USER_NAME`, else `HDFS_USER`). Both stores are read whatever their format; the trusted
    certificates of both are the authorities. Nothing is kept: a certificate that the cluster
    renews is seen by the next call.

    Raises:
        MaterialNotFoundError: One of the three files is missing.
        MaterialError: As `read_keystore()` says.
    """
    for _ in range(_TRIES - 1):
        before = _look()
        try:
            return _read()
        except MaterialError:
            if _look() == before:
                raise
    return _read()


def find_key_store() -> Path:
    """Return the absolute path of the key store.

    Raises:
        MaterialNotFoundError: It is missing.
    """
    return _find(_KEY_STORE)


def find_trust_store() -> Path:
    """Return the absolute path of the trust store.

    Raises:
        MaterialNotFoundError: It is missing.
    """
    return _find(_TRUST_STORE)


def read_password() -> str:
    """Return the one password of both stores and of the key, without the end of its line.

    Raises:
        MaterialNotFoundError: Its file is missing.
        MaterialFormatError: The file is no UTF-8 text.
    """
    file = _find(_PASSWORD)
    text = file.read_bytes().decode(errors="replace").rstrip("\r\n")
    if "\N{REPLACEMENT CHARACTER}" in text:
        message = f"The password file {str(file)!r} holds no UTF-8 text. Expected a password."
        raise MaterialFormatError(message)
    return text


def _read() -> Material:
    password = read_password()
    own = read_keystore(find_key_store().read_bytes(), password)
    trust_store = find_trust_store()
    trusted = read_keystore(trust_store.read_bytes(), password)
    if not trusted.ca_certificates:  # or the system's authorities would be trusted, all of them
        message = f"The trust store {str(trust_store)!r} trusts nobody. Expected an authority."
        raise MaterialFormatError(message)
    return own.trusting(trusted)


def _look() -> list[tuple[int, int, int]]:
    found = (_find(names).stat() for names in (_KEY_STORE, _TRUST_STORE, _PASSWORD))
    return [(status.st_ino, status.st_mtime_ns, status.st_size) for status in found]


def _find(names: _Names) -> Path:
    places = [Path.cwd() / names.container]
    folder = os.environ.get(environment.MATERIAL_DIRECTORY)
    user = os.environ.get(environment.HADOOP_USER_NAME) or os.environ.get(environment.HDFS_USER)
    if folder and user:
        places.append(Path(folder).absolute() / f"{user}{names.suffix}")
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        tried = " and ".join(repr(str(place)) for place in places)
        message = (
            f"There is no {names.what}: {tried} is no file. Expected one that the cluster made."
        )
        raise MaterialNotFoundError(message, hint=_hint(folder, user))
    return found


def _hint(folder: str | None, user: str | None) -> str | None:
    if folder and user:
        return None
    missing = environment.HADOOP_USER_NAME if folder else environment.MATERIAL_DIRECTORY
    value = "<project>__<login>" if folder else "/the/directory/with/the/key/stores"
    return f"on a cluster this is set; elsewhere export {missing}={value}"
