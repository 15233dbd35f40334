"""Decrypting the private keys of Java's own key stores.

Both ways are weak by today's measure, and are for reading only: whoever can read the store is kept
away by the permissions of the file.

Source:
    `KeyProtector` of OpenJDK, in `sun.security.provider` for JKS and in `com.sun.crypto.provider`
    for JCEKS; their object identifiers are below 1.3.6.1.4.1.42.2, which is Sun's.
"""

from collections.abc import Callable

from hops.tls import keys
from hops.tls.certificates import unreadable
from hops.tls.der import (
    INTEGER,
    OBJECT_ID,
    OCTETS,
    SEQUENCE,
    expect,
    read_elements,
    read_iterations,
)
from hops.tls.errors import MaterialFormatError
from hops.tls.keys import PrivateKey, wrong_key_password

_NAME = "private key of the Java key store"
_SUN = bytes.fromhex("2b060104012a02")  # 1.3.6.1.4.1.42.2
_JKS = _SUN + bytes([17, 1, 1])
_JCEKS = _SUN + bytes([19, 1])
_HASH_BYTES = 20
_SALT_BYTES = 8
_KEY_BYTES = 24


def decrypt(encrypted: bytes, password: str) -> PrivateKey:
    """Read the key out of an `EncryptedPrivateKeyInfo`.

    Raises:
        KeystorePasswordError: The password does not open it.
        MaterialFormatError: It is damaged, or encrypted in a way that hops does not know.
    """
    [whole] = expect(read_elements(encrypted, _NAME), SEQUENCE, name=_NAME)
    algorithm, secret = expect(read_elements(whole, _NAME), SEQUENCE, OCTETS, name=_NAME)
    parts = read_elements(algorithm, _NAME)
    [identifier] = expect(parts, OBJECT_ID, name=_NAME)
    if identifier == _JKS:
        return keys.from_der(_open_jks(secret, password))
    if identifier == _JCEKS:
        [_, parameters] = expect(parts, OBJECT_ID, SEQUENCE, name=_NAME)
        return keys.from_der(_open_jceks(secret, parameters, password))
    message = (
        f"The {_NAME} is encrypted by the method {identifier.hex()}, which hops does not know."
    )
    raise MaterialFormatError(message, hint="rewrite the store with keytool -importkeystore")


def _open_jks(secret: bytes, password: str) -> bytes:
    """Undo JKS: salt, the key xor a chain of digests, and a digest of the key."""
    import hashlib

    if len(secret) < 2 * _HASH_BYTES:
        message = f"The {_NAME} is damaged: it has {len(secret)} bytes."
        raise MaterialFormatError(message)

    def digest(data: bytes) -> bytes:
        return hashlib.sha1(characters + data, usedforsecurity=False).digest()

    characters = password.encode("utf-16-be")
    salt, hidden, check = (
        secret[:_HASH_BYTES],
        secret[_HASH_BYTES:-_HASH_BYTES],
        secret[-_HASH_BYTES:],
    )
    plain = _xor_with_chain(hidden, salt, digest)
    if digest(plain) != check:
        raise wrong_key_password()
    return plain


def _xor_with_chain(hidden: bytes, salt: bytes, digest: Callable[[bytes], bytes]) -> bytes:
    chain, last = bytearray(), salt
    while len(chain) < len(hidden):
        last = digest(last)
        chain += last
    return bytes(one ^ other for one, other in zip(hidden, chain, strict=False))


def _open_jceks(secret: bytes, parameters: bytes, password: str) -> bytes:
    """Undo JCEKS: triple DES with key and start from MD5, each half of the salt for itself."""
    found = expect(read_elements(parameters, _NAME), OCTETS, INTEGER, name=_NAME)
    salt, iterations = found[0], read_iterations(found[1], _NAME)
    if len(salt) != _SALT_BYTES:
        message = f"The {_NAME} has a salt of {len(salt)} bytes. Expected {_SALT_BYTES}."
        raise MaterialFormatError(message)
    halves = (salt[: _SALT_BYTES // 2], salt[_SALT_BYTES // 2 :])
    characters = password.encode()  # as Java 25 does; older ones take ASCII only
    derived = b"".join(_repeat_md5(half, characters, iterations) for half in halves)
    with unreadable(_NAME):
        padded = _undo_triple_des(secret, derived[:_KEY_BYTES], derived[_KEY_BYTES:])
    return _unpad(padded)


def _repeat_md5(start: bytes, password: bytes, iterations: int) -> bytes:
    import hashlib

    for _ in range(iterations):
        start = hashlib.md5(start + password, usedforsecurity=False).digest()
    return start


def _undo_triple_des(secret: bytes, key: bytes, start: bytes) -> bytes:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import CBC

    decryptor = Cipher(TripleDES(key), CBC(start)).decryptor()
    return decryptor.update(secret) + decryptor.finalize()


def _unpad(padded: bytes) -> bytes:
    """Take the padding of PKCS#5 away; a wrong password leaves a wrong one, or no sequence."""
    count = padded[-1] if padded else 0
    padded_right = 0 < count <= _SALT_BYTES and padded.endswith(bytes([count]) * count)
    if not padded_right or padded[0] != SEQUENCE:
        raise wrong_key_password()
    return padded[:-count]
