"""The errors of `hops.tls`; none of them ever shows a password or a key.

::

    HopsError
    ├── MaterialError (ValueError)           certificates or keys that cannot be used
    │   ├── MaterialFormatError              damaged, cut off, or of a kind that hops does not read
    │   ├── KeystorePasswordError            the password does not open the store or its key
    │   ├── KeyMismatchError                 the private key is not that of the certificate
    │   ├── CertificateExpiredError          too late
    │   └── CertificateNotYetValidError      too early
    └── MaterialNotFoundError (FileNotFoundError)

That a server's certificate is for another host, or from an unknown authority, is found during the
handshake; Python says it with `ssl.SSLCertVerificationError`.
"""

from hops.core.errors import HopsError


class MaterialError(HopsError, ValueError):
    """Certificates or keys are there, and cannot be used."""


class MaterialFormatError(MaterialError):
    """The content is damaged, cut off, or of a kind that hops does not read."""


class KeystorePasswordError(MaterialError):
    """The password does not open the store, or does not open the private key in it."""


class KeyMismatchError(MaterialError):
    """The private key does not belong to the certificate."""


class CertificateExpiredError(MaterialError):
    """The certificate's time is over."""


class CertificateNotYetValidError(MaterialError):
    """The certificate's time has not begun, or the clock of this machine is slow."""


class MaterialNotFoundError(HopsError, FileNotFoundError):
    """There is no key store, trust store or password where they are looked for."""
