"""Private keys: reading them, and whether they belong to a certificate."""

from typing import TYPE_CHECKING, TypeAlias

from hops.tls.certificates import unreadable
from hops.tls.errors import KeystorePasswordError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

PrivateKey: TypeAlias = "PrivateKeyTypes"


def from_der(data: bytes, password: str | None = None) -> PrivateKey:
    """Read a PKCS#8 key, encrypted if there is a password.

    Raises:
        KeystorePasswordError: The password does not open it.
        MaterialFormatError: It is damaged, or of a kind that is not known.
    """
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    with unreadable("private key"):
        if password is None:
            return load_der_private_key(data, None)
        try:
            return load_der_private_key(data, password.encode())
        except ValueError as error:
            raise wrong_key_password() from error


def from_pem(data: bytes, password: str | None) -> PrivateKey:
    """Read the first private key; the password counts only where it is encrypted.

    Raises:
        KeystorePasswordError: It is encrypted, and the password does not open it.
        MaterialFormatError: It is damaged, or of a kind that is not known.
    """
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    with unreadable("private key"):
        try:
            return load_pem_private_key(data, None)
        except TypeError as error:  # it is encrypted
            if not password:
                raise wrong_key_password() from error
        try:
            return load_pem_private_key(data, password.encode())
        except ValueError as error:
            raise wrong_key_password() from error


def to_pem(key: PrivateKey) -> str:
    """Write a key without a password: PKCS#1 if it is RSA, as older clients want it, else PKCS#8.

    Raises:
        MaterialFormatError: Keys of this kind cannot be written.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    traditional = isinstance(key, RSAPrivateKey)
    form = PrivateFormat.TraditionalOpenSSL if traditional else PrivateFormat.PKCS8
    with unreadable("private key"):
        return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def fits(key: PrivateKey, certificate: "x509.Certificate") -> bool:
    """Tell whether the certificate is for the key."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with unreadable("certificate"):
        return key.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form)


def wrong_key_password() -> KeystorePasswordError:
    """Return the error for a private key that does not open."""
    message = "The password does not open the private key. Expected the key's own password."
    return KeystorePasswordError(message, hint="give it as key_password=")
