"""Reading a key store or trust store of any format."""

from hops.tls import keys
from hops.tls.certificates import PEM_BEGIN, from_pem
from hops.tls.errors import KeystorePasswordError, MaterialFormatError
from hops.tls.java_store import is_java_store, read_java_store
from hops.tls.material import Material
from hops.tls.pkcs12 import read_pkcs12

_DER_SEQUENCE = b"\x30"


def read_keystore(data: bytes, password: str, key_password: str | None = None) -> Material:
    """Read the content of a key store or trust store; its first bytes tell the format.

    JKS and JCEKS, PKCS#12 (what keytool writes since Java 9, often in files called `.jks`), and PEM
    are known. A store has at most one private key. Trusted are:

    * JKS and JCEKS: the entries that are trusted certificates.
    * PKCS#12: each certificate that does not lead from the key's to its root.
    * PEM: the same, and each that is its own issuer, unless it is the key's.

    Nothing is said about the time of the certificates: `Material.check()` does that.

    Args:
        data: The content of the file.
        password: Opens the store, and proves that nobody without it has changed the store, unless
            it is PKCS#12 without a MAC, or PEM. PEM is read without; an encrypted key in it takes
            *key_password*, else this.
        key_password: Opens the private key. `None`: *password* does, as keytool has it by default.

    Raises:
        KeystorePasswordError: One of the passwords is wrong.
        MaterialFormatError: The content is cut off or damaged, or not of a known format.
        KeyMismatchError: The private key is not that of the certificate.
    """
    for each in (password, key_password or ""):
        _check_text(each)
    if is_java_store(data):
        return read_java_store(data, password, password if key_password is None else key_password)
    if data.startswith(_DER_SEQUENCE):
        return read_pkcs12(data, password, key_password)
    if b"-----BEGIN " in data:
        return _read_pem(data, password if key_password is None else key_password)
    # Not what it begins with: it may be the password, from the file beside it.
    message = f"The content of {len(data)} bytes is no key store that hops knows. "
    message += "Expected JKS, JCEKS, PKCS#12 or PEM."
    raise MaterialFormatError(message)


def _check_text(password: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in password):
        message = "The password holds half of a character. Expected text that can be encoded."
        raise KeystorePasswordError(message)


def _read_pem(data: bytes, password: str) -> Material:
    text = data.decode("ascii", errors="replace")
    if PEM_BEGIN not in text:
        message = "The PEM text holds no certificate. Expected at least one."
        raise MaterialFormatError(message)
    found = from_pem(text)
    if "PRIVATE KEY-----" not in text:
        return Material.sort(None, found)
    key = keys.from_pem(data, password)
    roots = [each for each in found if each.subject == each.issuer and not keys.fits(key, each)]
    rest = Material.sort(key, [each for each in found if each not in roots])
    return rest.trusting(Material.of(None, [], roots))
