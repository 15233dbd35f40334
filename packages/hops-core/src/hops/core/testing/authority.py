"""A certificate authority for the length of a test.

Source:
    X.509: RFC 5280.
"""

import ssl
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec


class Authority:
    """Signs the certificates of servers that only those trust who were given its own.

    Its key is made anew, kept in memory, and gone with the object.
    """

    pem: str
    """The certificate of the authority, for those who shall trust it."""

    def __init__(self, name: str = "hops throw-away authority") -> None:
        """Make a key and sign its certificate.

        Args:
            name: The common name in the certificates' issuer.
        """
        self._key = _make_key()
        self._certificate = _sign(self._key, name, _Claims(name, authority=True))
        self.pem = _to_pem(self._certificate)

    def issue(self, *hosts: str, days: int = 30) -> str:
        """Issue a certificate with a key of its own.

        Args:
            hosts: The names and the IP addresses that the certificate is valid for.
            days: For how long; below 0 for one that has expired.

        Returns:
            The private key and the certificate, as PEM.
        """
        from cryptography.hazmat.primitives import serialization

        key = _make_key()
        issued = _sign(self._key, self._issuer, _Claims(hosts[0], hosts=hosts, days=days), key)
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return secret.decode() + _to_pem(issued)

    def server_context(self, *hosts: str, days: int = 30) -> ssl.SSLContext:
        """Return the TLS context of a server; the arguments are those of `issue`."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # The standard library reads keys from files only; this one has no name.
        with tempfile.TemporaryFile() as file:
            file.write(self.issue(*hosts, days=days).encode())
            file.seek(0)
            context.load_cert_chain(f"/dev/fd/{file.fileno()}")
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return the TLS context of a client that trusts this authority and no other."""
        return ssl.create_default_context(cadata=self.pem)

    @property
    def _issuer(self) -> str:
        from cryptography.x509.oid import NameOID

        [name] = self._certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(name.value)


class _Claims:
    """What a certificate says."""

    def __init__(
        self, name: str, *, hosts: Sequence[str] = (), days: int = 30, authority: bool = False
    ) -> None:
        self.name = name
        self.hosts = hosts
        self.days = days
        self.authority = authority

    def lifetime(self) -> "tuple[dt.datetime, dt.datetime]":
        import datetime as dt

        end = dt.datetime.now(dt.UTC) + dt.timedelta(days=self.days)
        start = min(dt.datetime.now(dt.UTC), end) - dt.timedelta(days=1)
        return start, end

    def alternatives(self) -> "x509.SubjectAlternativeName":
        from cryptography import x509

        return x509.SubjectAlternativeName([_general_name(host) for host in self.hosts])


def _make_key() -> "ec.EllipticCurvePrivateKey":
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _sign(
    signer: "ec.EllipticCurvePrivateKey",
    issuer: str,
    claims: _Claims,
    key: "ec.EllipticCurvePrivateKey | None" = None,
) -> "x509.Certificate":
    """Sign what is claimed of *key*; `None`: of the signer's own."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    start, end = claims.lifetime()
    public = (key or signer).public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(_common_name(claims.name))
        .issuer_name(_common_name(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=claims.authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if claims.authority:
        builder = builder.add_extension(_usage_of_authority(), critical=True)
    else:
        builder = builder.add_extension(claims.alternatives(), critical=False)
    return builder.sign(signer, hashes.SHA256())


def _usage_of_authority() -> "x509.KeyUsage":
    from cryptography import x509

    return x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _common_name(name: str) -> "x509.Name":
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(host: str) -> "x509.GeneralName":
    import ipaddress

    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _to_pem(certificate: "x509.Certificate") -> str:
    from cryptography.hazmat.primitives import serialization

    return certificate.public_bytes(serialization.Encoding.PEM).decode()
