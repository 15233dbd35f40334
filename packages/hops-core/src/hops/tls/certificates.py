"""X.509 certificates: their facts, their order in a chain, and their PEM.

Source:
    RFC 5280 (certificates), RFC 4514 (names as text), RFC 7468 (PEM).
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hops.core.errors import HopsError
from hops.tls.errors import (
    CertificateExpiredError,
    CertificateNotYetValidError,
    MaterialFormatError,
)

if TYPE_CHECKING:
    from cryptography import x509

PEM_BEGIN = "-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What one certificate says of itself."""

    subject: str
    """Whose it is, as in `CN=demo__ada,O=hops`."""

    issuer: str
    """Who signed it."""

    not_before: dt.datetime
    """When its time begins, in UTC."""

    not_after: dt.datetime
    """Its last second, in UTC."""

    fingerprint: str
    """SHA-256 of the certificate: 64 hexadecimal digits in lower case."""

    def days_left(self, now: dt.datetime | None = None) -> int:
        """Count the whole days until it expires; negative once it has.

        Args:
            now: Seen from when, with a time zone. `None`: the clock of this machine.
        """
        return (self.not_after - (now or dt.datetime.now(dt.UTC))).days

    def check(self, now: dt.datetime | None = None) -> None:
        """Refuse it outside of its time.

        Args:
            now: Seen from when, with a time zone. `None`: the clock of this machine.

        Raises:
            CertificateNotYetValidError: Its time has not begun.
            CertificateExpiredError: Its time is over.
        """
        now = (now or dt.datetime.now(dt.UTC)).replace(microsecond=0)
        if now < self.not_before:
            message = (
                f"The certificate of {self.subject!r} is valid from {self.not_before} on, and it"
            )
            message += f" is {now} now. Expected a time after that."
            raise CertificateNotYetValidError(message, hint="compare the clock of this machine")
        if now > self.not_after:
            message = f"The certificate of {self.subject!r} expired at {self.not_after}, and it is "
            message += f"{now} now. Expected a time before that."
            hint = "get a new certificate from the cluster, or restart the program's container"
            raise CertificateExpiredError(message, hint=hint)


@contextmanager
def unreadable(name: str) -> Iterator[None]:
    """Turn what the package `cryptography` raises for bad content into our error."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509 import InvalidVersion

    try:
        yield
    except HopsError:
        raise
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidVersion) as error:
        message = f"The {name} cannot be read: {error}."
        raise MaterialFormatError(message) from error


def describe(certificate: "x509.Certificate") -> Certificate:
    """Return the facts of a certificate.

    Raises:
        MaterialFormatError: A part of it cannot be read.
    """
    from cryptography.hazmat.primitives import hashes

    with unreadable("certificate"):
        return Certificate(
            subject=certificate.subject.rfc4514_string(),
            issuer=certificate.issuer.rfc4514_string(),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        )


def from_der(data: bytes) -> "x509.Certificate":
    """Read one certificate.

    Raises:
        MaterialFormatError: It is none.
    """
    from cryptography import x509

    with unreadable("certificate"):
        return x509.load_der_x509_certificate(data)


def from_pem(text: str) -> list["x509.Certificate"]:
    """Read all certificates of *text*, none if it has none.

    Raises:
        MaterialFormatError: One of them cannot be read.
    """
    from cryptography import x509

    if PEM_BEGIN not in text:
        return []
    with unreadable("PEM text with certificates"):
        return x509.load_pem_x509_certificates(text.encode())


def to_pem(certificates: Iterable["x509.Certificate"]) -> str:
    """Write certificates one after the other, each once."""
    from cryptography.hazmat.primitives.serialization import Encoding

    written = (each.public_bytes(Encoding.PEM).decode() for each in certificates)
    return "".join(dict.fromkeys(written))


def take_chain(
    own: "x509.Certificate", others: list["x509.Certificate"]
) -> list["x509.Certificate"]:
    """Take out of *others* those that lead from *own* to its root; return them, *own* first."""
    chain = [own]
    while chain[-1].subject != chain[-1].issuer:
        issuer = next((each for each in others if _has_issued(each, chain[-1])), None)
        if issuer is None:
            break
        others.remove(issuer)
        chain.append(issuer)
    return chain


def _has_issued(issuer: "x509.Certificate", certificate: "x509.Certificate") -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    with suppress(ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        certificate.verify_directly_issued_by(issuer)
        return True
    return False
