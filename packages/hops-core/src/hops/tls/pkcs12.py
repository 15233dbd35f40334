"""Reading PKCS#12, what keytool writes since Java 9 and what browsers and OpenSSL export.

The package `cryptography` does it where one password opens all. Java also writes stores whose key
has a password of its own: there the key is taken out, and the rest is read as usual.

Source:
    RFC 7292: the structure in section 4, the integrity of the store in section 5 and appendix B.
"""

from typing import TYPE_CHECKING, NamedTuple

from hops.tls import der, keys
from hops.tls.certificates import unreadable
from hops.tls.der import EXPLICIT_0, INTEGER, OBJECT_ID, OCTETS, SEQUENCE, Element, read_elements
from hops.tls.errors import KeystorePasswordError, MaterialFormatError
from hops.tls.material import Material

if TYPE_CHECKING:
    from cryptography import x509

_NAME = "PKCS#12 key store"
_DATA = bytes.fromhex("2a864886f70d010701")
_BAGS = bytes.fromhex("2a864886f70d010c0a01")
_PLAIN_KEY, _ENCRYPTED_KEY = _BAGS + b"\x01", _BAGS + b"\x02"
_HASHES = {
    bytes.fromhex("2b0e03021a"): "sha1",
    bytes.fromhex("608648016503040204"): "sha224",
    bytes.fromhex("608648016503040201"): "sha256",
    bytes.fromhex("608648016503040202"): "sha384",
    bytes.fromhex("608648016503040203"): "sha512",
}
_FOR_INTEGRITY = b"\x03"


class _Store(NamedTuple):
    version: Element
    content: bytes
    parts: list[Element]
    mac: bytes | None


class _Key(NamedTuple):
    encrypted: bool
    data: bytes


def read_pkcs12(data: bytes, password: str, key_password: str | None) -> Material:
    """Read a whole store.

    Args:
        data: The content of the file.
        password: Opens the store.
        key_password: Opens the key, if *password* does not.

    Raises:
        KeystorePasswordError: One of the passwords is wrong.
        MaterialFormatError: It is cut off or damaged, or holds what hops does not read.
        KeyMismatchError: The key has no certificate.
    """
    from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

    store = _parse(data)
    found = [key for part in store.parts for key in _list_keys(part)]
    if len(found) > 1:
        message = f"The {_NAME} holds {len(found)} private keys. Expected at most one."
        raise MaterialFormatError(message, hint="export one with keytool -importkeystore -srcalias")
    with unreadable(_NAME):
        try:
            loaded = load_pkcs12(data, password.encode())
        except ValueError:
            return _read_with_two_passwords(store, found, password, key_password)
        others = [each.certificate for each in loaded.additional_certs]
        own = [loaded.cert.certificate] if loaded.cert else []
        return Material.sort(loaded.key, own + others)


def _parse(data: bytes) -> _Store:
    [whole] = der.expect(read_elements(data, _NAME), SEQUENCE, name=_NAME)
    elements = read_elements(whole, _NAME)
    _, info = der.expect(elements, INTEGER, SEQUENCE, name=_NAME)
    content = _open_data(info)
    if content is None:
        message = f"The {_NAME} is protected by a certificate. Expected one with a password."
        raise MaterialFormatError(message)
    [parts] = der.expect(read_elements(content, _NAME), SEQUENCE, name=_NAME)
    mac = elements[2].content if len(elements) > 2 else None  # noqa: PLR2004 - it is optional
    return _Store(elements[0], content, read_elements(parts, _NAME), mac)


def _open_data(info: bytes) -> bytes | None:
    """Return what a `ContentInfo` holds; `None` where it is encrypted."""
    elements = read_elements(info, _NAME)
    [kind] = der.expect(elements, OBJECT_ID, name=_NAME)
    if kind != _DATA:
        return None
    [_, explicit] = der.expect(elements, OBJECT_ID, EXPLICIT_0, name=_NAME)
    [octets] = der.expect(read_elements(explicit, _NAME), OCTETS, name=_NAME)
    return octets


def _list_keys(part: Element) -> list[_Key]:
    """Return the keys of a part, which are encrypted each for itself, in an open part."""
    content = _open_data(part.content)
    if content is None:
        return []
    [bags] = der.expect(read_elements(content, _NAME), SEQUENCE, name=_NAME)
    found = []
    for bag in read_elements(bags, _NAME):
        kind, value = der.expect(
            read_elements(bag.content, _NAME), OBJECT_ID, EXPLICIT_0, name=_NAME
        )
        if kind in {_PLAIN_KEY, _ENCRYPTED_KEY}:
            found.append(_Key(kind == _ENCRYPTED_KEY, value))
    return found


def _read_with_two_passwords(
    store: _Store, found: list[_Key], password: str, key_password: str | None
) -> Material:
    _check_mac(store, password)
    if not found:
        message = f"The {_NAME} is damaged: its password fits, and its content does not open."
        raise MaterialFormatError(message)
    if key_password is None:
        raise keys.wrong_key_password()
    [key] = found
    private = keys.from_der(key.data, key_password if key.encrypted else None)
    return Material.sort(private, _read_certificates(store, password))


def _read_certificates(store: _Store, password: str) -> list["x509.Certificate"]:
    """Read the parts without keys, as a store of their own; its integrity has been checked."""
    from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

    kept = b"".join(part.encode() for part in store.parts if not _list_keys(part))
    octets = Element(OCTETS, Element(SEQUENCE, kept).encode()).encode()
    info = Element(OBJECT_ID, _DATA).encode() + Element(EXPLICIT_0, octets).encode()
    whole = Element(SEQUENCE, store.version.encode() + Element(SEQUENCE, info).encode()).encode()
    loaded = load_pkcs12(whole, password.encode())
    return [each.certificate for each in loaded.additional_certs]


def _check_mac(store: _Store, password: str) -> None:
    """Tell a wrong password from everything else that can keep a store from being read."""
    import hmac

    if store.mac is None:
        return
    elements = read_elements(store.mac, _NAME)
    wanted, salt = der.expect(elements, SEQUENCE, OCTETS, name=_NAME)
    algorithm, digest = der.expect(read_elements(wanted, _NAME), SEQUENCE, OCTETS, name=_NAME)
    [identifier] = der.expect(read_elements(algorithm, _NAME), OBJECT_ID, name=_NAME)
    name = _HASHES.get(identifier)
    if name is None:
        message = f"The {_NAME} uses the digest {identifier.hex()}, which hops does not know."
        raise MaterialFormatError(message, hint="rewrite the store with keytool -importkeystore")
    counts = elements[2:]
    iterations = der.read_iterations(counts[0].content, _NAME) if counts else 1
    key = _derive(name, password, salt, iterations)
    if hmac.digest(key, store.content, name) != digest:
        message = f"The password does not open the {_NAME}, or the store was changed since it was"
        message += " written. Expected the password of the store."
        raise KeystorePasswordError(message)


def _derive(name: str, password: str, salt: bytes, iterations: int) -> bytes:
    """Derive the key of the MAC, which is as long as one digest, so that one block is enough."""
    import hashlib

    size = hashlib.new(name).block_size
    characters = (password + "\0").encode("utf-16-be")
    block = _FOR_INTEGRITY * size + _fill(salt, size) + _fill(characters, size)
    for _ in range(iterations):
        block = hashlib.new(name, block).digest()
    return block


def _fill(data: bytes, size: int) -> bytes:
    """Repeat *data* up to the next multiple of *size*."""
    length = -(-len(data) // size) * size
    return (data * (length // max(1, len(data)) + 1))[:length]
