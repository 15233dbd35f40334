from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: TID253 - a test
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12  # noqa: TID253 - a test
from cryptography.x509 import load_pem_x509_certificate  # noqa: TID253 - a test

from authority import Authority, key_pem
from handshake import call, serve, show
from hops.tls import (
    KeyMismatchError,
    KeystorePasswordError,
    Material,
    MaterialFormatError,
    read_keystore,
)
from keytool import ALGORITHMS, KEY_PASSWORD, KINDS, PASSWORD, Store, keytool

TWO_PASSWORDS = Path(__file__).parent / "keystores" / "two-passwords.p12"
OWN_KINDS = [kind for kind in KINDS if not kind.endswith("-two")]

each_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)
each_kind = pytest.mark.parametrize("kind", KINDS)


def read(store: Store) -> Material:
    """Read a store with its own passwords."""
    return read_keystore(store.data, PASSWORD, store.key_password)


def export(store: Store, alias: str) -> str:
    """Let keytool say which certificate a store has under this name."""
    place = ("-keystore", store.file, "-storepass", PASSWORD, "-storetype", store.format)
    return keytool("-exportcert", "-rfc", "-alias", alias, *place).decode().replace("\r\n", "\n")


@each_algorithm
@pytest.mark.parametrize("kind", OWN_KINDS)
def test_holds_what_keytool_says(
    stores: dict[tuple[str, str], Store], authority: Authority, algorithm: str, kind: str
) -> None:
    """The chain begins with the certificate that keytool exports; the trusted entry is trusted."""
    store = stores[algorithm, kind]
    material = read(store)

    assert material.certificate_chain == export(store, "me") + authority.pem
    assert material.ca_certificates == authority.pem
    assert material.certificate is not None
    assert material.certificate.subject == "CN=demo__ada"


@each_algorithm
@each_kind
def test_the_key_is_the_same_in_every_format(
    stores: dict[tuple[str, str], Store], algorithm: str, kind: str
) -> None:
    """The key is what another reader finds in the store that all others were made from."""
    original = load_pkcs12(stores[algorithm, "PKCS12"].data, PASSWORD.encode()).key
    found = read(stores[algorithm, kind]).private_key or ""

    key = load_pem_private_key(found.encode(), None)
    assert key.private_numbers() == original.private_numbers()  # type: ignore[union-attr] # RSA, EC
    expected = "RSA PRIVATE KEY" if algorithm == "RSA" else "PRIVATE KEY"
    assert found.startswith(f"-----BEGIN {expected}-----\n")


@each_algorithm
@each_kind
def test_a_server_knows_the_client_by_it(
    stores: dict[tuple[str, str], Store],
    authority: Authority,
    tmp_path: Path,
    algorithm: str,
    kind: str,
) -> None:
    """A handshake in which each side proves itself succeeds with a key from each store."""
    material = read(stores[algorithm, kind]).trusting(Material(ca_certificates=authority.pem))
    server = authority.issue("server", host="localhost")

    with serve(tmp_path, server, authority) as port:
        assert call(port, material.context()) == show("demo__ada")


@each_kind
def test_a_wrong_password(stores: dict[tuple[str, str], Store], kind: str) -> None:
    """The error says that it is the store's password, and shows none."""
    store = stores["EC", kind]

    with pytest.raises(KeystorePasswordError, match=r"does not open the .*key store") as raised:
        read_keystore(store.data, "Wrong-secret", store.key_password)

    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("kind", ["JKS-two", "JCEKS-two"])
@pytest.mark.parametrize("key_password", [None, "Wrong-secret", "ä-secret"])
def test_a_wrong_key_password(
    stores: dict[tuple[str, str], Store], kind: str, key_password: str | None
) -> None:
    """The error says that it is the key's password, and which argument takes it."""
    with pytest.raises(KeystorePasswordError, match="the private key") as raised:
        read_keystore(stores["EC", kind].data, PASSWORD, key_password)

    assert "key_password=" in (raised.value.hint or "")
    assert "secret" not in str(raised.value)


def test_keytool_ignores_a_key_password_for_pkcs12(
    stores: dict[tuple[str, str], Store],
) -> None:
    """Whoever gave keytool a key password for PKCS#12 has one password, and may give both here."""
    data = stores["EC", "PKCS12"].data

    assert read_keystore(data, PASSWORD, KEY_PASSWORD) == read_keystore(data, PASSWORD)


def test_pkcs12_with_two_passwords() -> None:
    """A store that a program wrote with Java's `KeyStore` may have a password for its key.

    The file was made by OpenJDK 17: `setKeyEntry` with the password `other2`, `setCertificateEntry`
    for `CN=authority`, and `store` with the password `store1`.
    """
    data = TWO_PASSWORDS.read_bytes()
    material = read_keystore(data, "store1", "other2")

    assert material.certificate is not None
    assert material.certificate.subject == "CN=demo__ada"
    assert [each.subject for each in material.authorities] == ["CN=authority"]
    for wrong, reason in (
        (("other2", "other2"), "the PKCS#12 key store"),
        (("store1", "store1"), "the private key"),
        (("store1",), "the private key"),
    ):
        with pytest.raises(KeystorePasswordError, match=f"does not open {reason}"):
            read_keystore(data, *wrong)


@each_kind
def test_a_file_that_is_cut_off(stores: dict[tuple[str, str], Store], kind: str) -> None:
    """Wherever it ends, it is called cut off or damaged, and not a wrong password."""
    store = stores["EC", kind]
    data = store.data

    for length in {4, 5, 11, 30, len(data) // 2, len(data) - 20, len(data) - 1}:
        with pytest.raises(MaterialFormatError, match="damaged"):
            read_keystore(data[:length], PASSWORD, store.key_password)


@pytest.mark.parametrize("data", [b"", b"hello", b"\xca\xfe\xba\xbe", b"PK\x03\x04"])
def test_a_file_of_another_kind(data: bytes) -> None:
    """The error says how it begins, and what can be read."""
    with pytest.raises(MaterialFormatError, match="Expected JKS, JCEKS, PKCS#12 or PEM"):
        read_keystore(data, PASSWORD)


@pytest.mark.parametrize("kind", OWN_KINDS)
def test_a_trust_store(authority: Authority, tmp_path: Path, kind: str) -> None:
    """A store without a key is whom to trust, and nothing to prove."""
    file = tmp_path / "trust"
    place = ("-keystore", file, "-storepass", PASSWORD, "-storetype", kind)
    keytool("-importcert", "-noprompt", "-alias", "ca", *place, given=authority.pem)

    assert read_keystore(file.read_bytes(), PASSWORD) == Material(ca_certificates=authority.pem)


@pytest.mark.parametrize("kind", OWN_KINDS)
def test_two_keys(stores: dict[tuple[str, str], Store], tmp_path: Path, kind: str) -> None:
    """A store with several keys is refused: none of them is the one."""
    file = tmp_path / "store"
    file.write_bytes(stores["EC", kind].data)
    place = ("-keystore", file, "-storepass", PASSWORD, "-storetype", kind)
    keytool("-genkeypair", "-alias", "b", "-keyalg", "EC", "-dname", "CN=b", *place)

    with pytest.raises(MaterialFormatError, match="holds 2 private keys"):
        read_keystore(file.read_bytes(), PASSWORD)


def test_a_secret_key(tmp_path: Path) -> None:
    """A JCEKS store with a secret key says so, and how to take it out."""
    file = tmp_path / "store"
    place = ("-keystore", file, "-storepass", PASSWORD, "-storetype", "JCEKS")
    keytool("-genseckey", "-alias", "s", "-keyalg", "AES", "-keysize", "128", *place)

    with pytest.raises(MaterialFormatError, match="of the kind 3") as raised:
        read_keystore(file.read_bytes(), PASSWORD)

    assert "keytool -delete" in (raised.value.hint or "")


@pytest.mark.parametrize("order", [1, -1])
def test_pem(order: int) -> None:
    """Key, chain and root of one text are told apart, whatever their order."""
    root = Authority("root")
    middle = Authority("middle", root)
    own = middle.issue("demo__ada")
    text = "".join([own.key, own.certificate, middle.pem, root.pem][::order])

    found = read_keystore(text.encode(), "")

    assert found.private_key is not None
    assert found.certificate_chain == own.certificate + middle.pem
    assert found.ca_certificates == root.pem


def test_pem_with_an_encrypted_key(authority: Authority) -> None:
    """The key of a PEM text takes the key's password, else the only one."""
    own = authority.issue("demo__ada")
    key = load_pem_private_key(own.key.encode(), None)
    encrypted = (own.certificate + key_pem(key, KEY_PASSWORD.encode())).encode()  # type: ignore[arg-type] # EC

    assert read_keystore(encrypted, KEY_PASSWORD) == read_keystore(encrypted, "", KEY_PASSWORD)
    for wrong in (("",), ("Wrong-secret",), (KEY_PASSWORD, "Wrong-secret")):
        with pytest.raises(KeystorePasswordError, match="the private key"):
            read_keystore(encrypted, *wrong)


def test_pem_without_a_key(authority: Authority) -> None:
    """Certificates alone are whom to trust."""
    other = Authority("other")
    text = authority.pem + other.pem

    assert read_keystore(text.encode(), "") == Material(ca_certificates=text)


def test_pem_without_a_certificate(authority: Authority) -> None:
    """A key alone is not enough."""
    with pytest.raises(MaterialFormatError, match="no certificate"):
        read_keystore(authority.issue("a").key.encode(), "")


def test_pem_with_the_key_of_another(authority: Authority) -> None:
    """A key beside somebody else's certificate is refused at once."""
    text = authority.issue("a").key + authority.issue("b").certificate

    with pytest.raises(KeyMismatchError, match="belongs to another key"):
        read_keystore(text.encode(), "")


def test_a_damaged_certificate(authority: Authority) -> None:
    """Letters that are no base64 are the certificate's fault."""
    damaged = authority.pem.replace("M", "!", 1)

    with pytest.raises(MaterialFormatError, match="cannot be read"):
        read_keystore(damaged.encode(), "")
    assert load_pem_x509_certificate(authority.pem.encode())


def test_half_a_character_is_no_password() -> None:
    """A password that cannot be written in any encoding is a wrong password."""
    with pytest.raises(KeystorePasswordError, match="half of a character"):
        read_keystore(b"\xfe\xed\xfe\xed", "\ud800")
