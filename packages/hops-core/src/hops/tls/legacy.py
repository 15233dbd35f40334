"""The calls of `hops.tls` of the old library.

Those that return PEM files see a renewed certificate: the next call returns other paths.
"""

from pathlib import Path

from hops.tls.errors import MaterialNotFoundError
from hops.tls.files import PemFiles, write_pem_files
from hops.tls.find import find_key_store, find_material, find_trust_store, read_password


def get_key_store() -> str:
    """Return the absolute path of the key store, in the format that the cluster gave it.

    Raises:
        MaterialNotFoundError: It is missing; `find_material()` says where it is looked for.
    """
    return str(find_key_store())


def get_trust_store() -> str:
    """Return the absolute path of the trust store, in the format that the cluster gave it.

    Raises:
        MaterialNotFoundError: It is missing; `find_material()` says where it is looked for.
    """
    return str(find_trust_store())


def get_key_store_cert() -> bytes:
    """Return the whole key store in base64, on one line.

    Raises:
        MaterialNotFoundError: It is missing.
    """
    import base64

    return base64.b64encode(find_key_store().read_bytes())


def get_key_store_pwd() -> str:
    """Return the password of the key store and of its key, without the end of its line.

    Raises:
        MaterialNotFoundError: Its file is missing.
        MaterialFormatError: The file is no UTF-8 text.
    """
    return read_password()


def get_trust_store_pwd() -> str:
    """Return the password of the trust store, which is that of the key store.

    Raises:
        MaterialNotFoundError: Its file is missing.
        MaterialFormatError: The file is no UTF-8 text.
    """
    return read_password()


def get_client_certificate_location() -> str:
    """Return the path of a PEM file with the client's certificate chain.

    Raises:
        MaterialNotFoundError: A file is missing, or the key store has no private key.
        MaterialError: As `find_material()` and `write_pem_files()` say.
    """
    return str(_write_with_key().certificate)


def get_client_key_location() -> str:
    """Return the path of a PEM file with the client's private key, not encrypted, mode 0600.

    Raises:
        MaterialNotFoundError: A file is missing, or the key store has no private key.
        MaterialError: As `find_material()` and `write_pem_files()` say.
    """
    return str(_write_with_key().key)


def get_ca_chain_location() -> str:
    """Return the path of a PEM file with the trusted certificates of both stores.

    Raises:
        MaterialNotFoundError: A file is missing.
        MaterialError: As `find_material()` and `write_pem_files()` say.
    """
    return str(write_pem_files(find_material()).authorities)


def pems_dir(pem: str) -> Path:
    """Return where the PEM file of this name is.

    Args:
        pem: `client.pem`, `client_key.pem` or `ca_chain.pem`.

    Raises:
        MaterialNotFoundError: A file is missing.
        MaterialError: As `find_material()` and `write_pem_files()` say.
    """
    return write_pem_files(find_material()).folder / pem


def _write_with_key() -> PemFiles:
    material = find_material()
    if material.private_key is None:
        message = f"The key store {get_key_store()!r} holds no private key. Expected one."
        raise MaterialNotFoundError(message)
    return write_pem_files(material)
