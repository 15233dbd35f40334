"""What a client proves itself with, and whom it trusts, held in memory."""

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from hops.tls import keys
from hops.tls.certificates import Certificate, describe, from_pem, take_chain, to_pem
from hops.tls.errors import KeyMismatchError, MaterialFormatError

if TYPE_CHECKING:
    import ssl

    from cryptography import x509


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """A private key with its certificate chain, and the authorities to trust.

    All three are PEM text, as other clients take it from memory (`ssl.key.pem`,
    `ssl.certificate.pem` and `ssl.ca.pem` of librdkafka). Its `repr` does not show the key.

    Raises:
        MaterialFormatError: One of the three cannot be read, or there is a chain without a key.
        KeyMismatchError: The key is not that of the first certificate, or there is none for it.
    """

    private_key: str | None = field(default=None, repr=False)
    """Without a password: PKCS#1 if it is RSA, else PKCS#8. `None`: there is nothing to prove, as
    with a trust store."""

    certificate_chain: str = field(default="", repr=False)
    """The certificate of the key, then those that lead to its authority; empty without a key."""

    ca_certificates: str = field(default="", repr=False)
    """The authorities to trust. Empty: the key store names none."""

    certificate: Certificate | None = field(init=False)
    """The facts of the first of the chain; `None` without a key."""

    authorities: tuple[Certificate, ...] = field(init=False)
    """The facts of the authorities, in order."""

    def __post_init__(self) -> None:
        chain = [*map(describe, from_pem(self.certificate_chain))]
        authorities = tuple(map(describe, from_pem(self.ca_certificates)))
        object.__setattr__(self, "certificate", chain[0] if chain else None)
        object.__setattr__(self, "authorities", authorities)
        self._check_pair()

    @classmethod
    def of(
        cls,
        key: "keys.PrivateKey | None",
        chain: list["x509.Certificate"],
        authorities: list["x509.Certificate"],
    ) -> Self:
        """Make it from what the package `cryptography` has read.

        Raises:
            KeyMismatchError: The key is not that of the first certificate.
        """
        return cls(
            private_key=None if key is None else keys.to_pem(key),
            certificate_chain=to_pem(chain),
            ca_certificates=to_pem(authorities),
        )

    @classmethod
    def sort(cls, key: "keys.PrivateKey | None", found: list["x509.Certificate"]) -> Self:
        """Make it from certificates in any order: what does not lead from the key is trusted.

        Raises:
            KeyMismatchError: None of the certificates is that of the key.
        """
        others = list(found)
        if key is None:
            return cls.of(None, [], others)
        own = next((each for each in others if keys.fits(key, each)), None)
        if own is None:
            raise KeyMismatchError(_nothing_fits(len(others)))
        others.remove(own)
        return cls.of(key, take_chain(own, others), others)

    def trusting(self, other: "Material") -> "Material":
        """Return the same key and chain, which trusts the authorities of *other* as well."""
        both = [*from_pem(self.ca_certificates), *from_pem(other.ca_certificates)]
        return Material(
            private_key=self.private_key,
            certificate_chain=self.certificate_chain,
            ca_certificates=to_pem(both),
        )

    def check(self, now: dt.datetime | None = None) -> None:
        """Refuse the client's certificate outside of its time; fine if there is none.

        Args:
            now: Seen from when, with a time zone. `None`: the clock of this machine.

        Raises:
            CertificateNotYetValidError: Its time has not begun.
            CertificateExpiredError: Its time is over.
        """
        if self.certificate is not None:
            self.certificate.check(now)

    def context(self) -> "ssl.SSLContext":
        """Return a new TLS context for a client.

        It demands a certificate of the server for the host that is called, issued by one of the
        authorities (those of the system where there are none), and shows the client's own. Every
        authority counts, as in Java, also one that is not a root. Nothing is left on the disk.

        Raises:
            CertificateNotYetValidError: The time of the client's certificate has not begun.
            CertificateExpiredError: Its time is over.
            MaterialFormatError: OpenSSL refuses the key or a certificate, for instance as weak.
        """
        import ssl

        self.check()
        try:
            context = ssl.create_default_context(cadata=self.ca_certificates or None)
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            if self.private_key is not None:
                _show(context, self.certificate_chain + self.private_key)
        except ssl.SSLError as error:
            message = f"OpenSSL refuses the key or the certificates: {error}."
            raise MaterialFormatError(message) from error
        return context

    def _check_pair(self) -> None:
        chain = from_pem(self.certificate_chain)
        if self.private_key is None:
            if chain:
                message = "There is a certificate chain, and no private key. Expected both."
                raise MaterialFormatError(message)
            return
        key = keys.from_pem(self.private_key.encode(), None)
        if not chain or not keys.fits(key, chain[0]):
            raise KeyMismatchError(_nothing_fits(len(chain[:1])))


def _nothing_fits(count: int) -> str:
    found = "and it has none" if not count else "and what is there belongs to another key"
    return (
        f"The private key needs its certificate, {found}. Expected a key and a certificate of it."
    )


def _show(context: "ssl.SSLContext", pem: str) -> None:
    """Load key and chain, which OpenSSL takes from files only: this one is in memory, unnamed."""
    import os
    import tempfile

    in_memory = hasattr(os, "memfd_create")
    with (
        os.fdopen(os.memfd_create("hops"), "wb") if in_memory else tempfile.TemporaryFile() as file
    ):
        file.write(pem.encode())
        file.flush()
        file.seek(0)
        context.load_cert_chain(f"/dev/fd/{file.fileno()}")
