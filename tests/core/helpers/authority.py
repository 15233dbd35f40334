"""A throw-away certificate authority, for tests of what certificates allow and forbid."""

import datetime as dt
from typing import NamedTuple

from cryptography import x509  # noqa: TID253 - a helper of tests
from cryptography.hazmat.primitives import hashes, serialization  # noqa: TID253 - as above
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: TID253 - as above
from cryptography.x509.oid import NameOID  # noqa: TID253 - as above

CURVE = ec.SECP256R1()


class Issued(NamedTuple):
    """A certificate with its key, both as PEM."""

    certificate: str
    key: str


def name_of(common_name: str) -> x509.Name:
    """Return a name with nothing but `CN`."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def key_pem(key: ec.EllipticCurvePrivateKey, password: bytes = b"") -> str:
    """Write a key as PKCS#8, encrypted if there is a password."""
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


class Authority:
    """Issues certificates; valid for a month, made yesterday, unless told otherwise.

    Args:
        name: Its common name.
        parent: Who vouches for it; itself if there is nobody.
    """

    def __init__(self, name: str, parent: "Authority | None" = None) -> None:
        self.name = name_of(name)
        self.key = ec.generate_private_key(CURVE)
        builder = self._builder(self.name, -1, 30).public_key(self.key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)  # noqa: FBT003 - critical
        by = parent or self
        certificate = builder.issuer_name(by.name).sign(by.key, hashes.SHA256())
        self.pem = certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(
        self, name: str, *, host: str | None = None, first_day: int = -1, last_day: int = 30
    ) -> Issued:
        """Make a key and its certificate; days count from today."""
        key = ec.generate_private_key(CURVE)
        builder = self._builder(name_of(name), first_day, last_day).public_key(key.public_key())
        if host is not None:
            alternative = x509.SubjectAlternativeName([x509.DNSName(host)])
            builder = builder.add_extension(alternative, critical=False)
        return Issued(self._sign(builder), key_pem(key))

    def sign(self, request: bytes) -> str:
        """Answer a request as keytool writes it."""
        asked = x509.load_pem_x509_csr(request)
        builder = self._builder(asked.subject, -1, 30).public_key(asked.public_key())
        return self._sign(builder)

    def _sign(self, builder: x509.CertificateBuilder) -> str:
        certificate = builder.issuer_name(self.name).sign(self.key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM).decode()

    @staticmethod
    def _builder(subject: x509.Name, first_day: int, last_day: int) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder().subject_name(subject)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now + dt.timedelta(days=first_day))
        return builder.not_valid_after(now + dt.timedelta(days=last_day))
