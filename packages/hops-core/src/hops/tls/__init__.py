"""The certificates of the program: who it is to other services, and whom it trusts.

A cluster gives each program a key store, a trust store and a password. `find_material()` reads
them, whichever format they have, and returns a `Material`: private key, certificate chain and
authorities as PEM text in memory, which most clients take; `Material.context()` is what Python's
own take. For clients that want files there is `write_pem_files()`; they are private to the user.
`read_keystore()` reads any other store, and the `get_...` functions are those of the old library.

Nothing is cached: each call sees the certificate that the cluster has put there last.
"""

from hops.tls.certificates import Certificate
from hops.tls.errors import (
    CertificateExpiredError,
    CertificateNotYetValidError,
    KeyMismatchError,
    KeystorePasswordError,
    MaterialError,
    MaterialFormatError,
    MaterialNotFoundError,
)
from hops.tls.files import PemFiles, write_pem_files
from hops.tls.find import find_material
from hops.tls.keystore import read_keystore
from hops.tls.legacy import (
    get_ca_chain_location,
    get_client_certificate_location,
    get_client_key_location,
    get_key_store,
    get_key_store_cert,
    get_key_store_pwd,
    get_trust_store,
    get_trust_store_pwd,
    pems_dir,
)
from hops.tls.material import Material

__all__ = [
    "Certificate",
    "CertificateExpiredError",
    "CertificateNotYetValidError",
    "KeyMismatchError",
    "KeystorePasswordError",
    "Material",
    "MaterialError",
    "MaterialFormatError",
    "MaterialNotFoundError",
    "PemFiles",
    "find_material",
    "get_ca_chain_location",
    "get_client_certificate_location",
    "get_client_key_location",
    "get_key_store",
    "get_key_store_cert",
    "get_key_store_pwd",
    "get_trust_store",
    "get_trust_store_pwd",
    "pems_dir",
    "read_keystore",
    "write_pem_files",
]
