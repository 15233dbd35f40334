"""Reading the two key stores that only Java has: JKS and JCEKS.

The one Python library that reads them, `pyjks`, has had no release since 2020, fails on stores of
newer versions of Java (seen with 25 on 2026-11-20), and brings a second cryptography package along;
the two formats are small and frozen.

Source:
    The class documentation and the file layout of `JavaKeyStore` and `JceKeyStore` of OpenJDK: a
    header, entries, and a SHA-1 digest over the password and all that precedes.
"""

from dataclasses import dataclass, field

from hops.tls.certificates import from_der
from hops.tls.errors import KeystorePasswordError, MaterialFormatError
from hops.tls.java_key import decrypt
from hops.tls.material import Material
from hops.tls.scan import Scanner

JKS, JCEKS = 0xFEEDFEED, 0xCECECECE
"""The first four bytes."""

_VERSIONS = (1, 2)
_KEY, _CERTIFICATE = 1, 2
_DIGEST_BYTES = 20
_WHITENER = b"Mighty Aphrodite"


@dataclass(frozen=True, slots=True)
class _Entries:
    keys: list[tuple[bytes, list[bytes]]] = field(default_factory=list)
    """Encrypted key, and its chain."""

    certificates: list[bytes] = field(default_factory=list)
    """Those that are trusted."""


def is_java_store(data: bytes) -> bool:
    """Tell by the first bytes."""
    return int.from_bytes(data[:4]) in {JKS, JCEKS}


def read_java_store(data: bytes, password: str, key_password: str) -> Material:
    """Read a whole store.

    Raises:
        KeystorePasswordError: One of the passwords is wrong; or the store was changed by somebody
            who does not know the password, which looks the same.
        MaterialFormatError: It is cut off or damaged, or holds what hops does not read.
        KeyMismatchError: The key is not that of its certificate.
    """
    scanner = Scanner(data, "Java key store")
    entries = _read_entries(scanner)
    _check_digest(scanner, password)
    authorities = [*map(from_der, entries.certificates)]
    if not entries.keys:
        return Material.of(None, [], authorities)
    [(encrypted, chain), *more] = entries.keys
    if more:
        message = f"The Java key store holds {len(more) + 1} private keys. Expected at most one."
        raise MaterialFormatError(message, hint="export one with keytool -importkeystore -srcalias")
    return Material.of(decrypt(encrypted, key_password), [*map(from_der, chain)], authorities)


def _read_entries(scanner: Scanner) -> _Entries:
    scanner.take(4)
    version = scanner.number(4)
    if version not in _VERSIONS:
        message = f"The Java key store has version {version}. Expected one of {_VERSIONS}."
        raise MaterialFormatError(message)
    entries = _Entries()
    for _ in range(scanner.number(4)):
        kind = scanner.number(4)
        scanner.block(2)  # the alias
        scanner.take(8)  # when it was made
        if kind == _KEY:
            encrypted = scanner.block(4)
            chain = [_read_certificate(scanner, version) for _ in range(scanner.number(4))]
            entries.keys.append((encrypted, chain))
        elif kind == _CERTIFICATE:
            entries.certificates.append(_read_certificate(scanner, version))
        else:
            raise _unknown_entry(kind)
    return entries


def _read_certificate(scanner: Scanner, version: int) -> bytes:
    kind = scanner.block(2) if version > 1 else b"X.509"
    if kind not in {b"X.509", b"X509"}:
        message = (
            f"The Java key store holds a certificate of the type {kind[:20]!r}. Expected X.509."
        )
        raise MaterialFormatError(message)
    return scanner.block(4)


def _unknown_entry(kind: int) -> MaterialFormatError:
    message = (
        f"The Java key store holds an entry of the kind {kind}, which is neither a private key nor "
        "a certificate. Expected only these two."
    )
    return MaterialFormatError(message, hint="keytool -delete -alias <secret key> -keystore <file>")


def _check_digest(scanner: Scanner, password: str) -> None:
    import hashlib

    if scanner.left != _DIGEST_BYTES:
        message = (
            f"The Java key store is damaged: {scanner.left} bytes follow its entries. Expected "
        )
        message += f"the {_DIGEST_BYTES} of its digest."
        raise MaterialFormatError(message, hint="copy the file again, in binary mode")
    digest = hashlib.sha1(password.encode("utf-16-be"), usedforsecurity=False)
    digest.update(_WHITENER + scanner.before)
    if digest.digest() != scanner.take(_DIGEST_BYTES):
        message = "The password does not open the Java key store, or the store was changed since it"
        message += " was written. Expected the password of the store."
        raise KeystorePasswordError(message)
