import datetime as dt
import hashlib
import pickle
import ssl
from pathlib import Path

import pytest

from authority import Authority, Issued
from handshake import call, serve, show
from hops.tls import (
    CertificateExpiredError,
    CertificateNotYetValidError,
    KeyMismatchError,
    Material,
    MaterialError,
    MaterialFormatError,
    write_pem_files,
)


def material_of(own: Issued, trusted: Authority) -> Material:
    """Make the material of a client."""
    return Material(
        private_key=own.key, certificate_chain=own.certificate, ca_certificates=trusted.pem
    )


@pytest.fixture
def client(authority: Authority) -> Material:
    """A client whose certificate is in order."""
    return material_of(authority.issue("demo__ada"), authority)


def test_facts(client: Material) -> None:
    """Subject, issuer, times and fingerprint are those of the certificate."""
    own = client.certificate
    assert own is not None

    der = ssl.PEM_cert_to_DER_cert(client.certificate_chain)
    assert (own.subject, own.issuer) == ("CN=demo__ada", "CN=authority")
    assert own.not_before < dt.datetime.now(dt.UTC) < own.not_after
    assert own.fingerprint == hashlib.sha256(der).hexdigest()
    assert [each.subject for each in client.authorities] == ["CN=authority"]


def test_days_left(client: Material) -> None:
    """Whole days are counted, from a time that may be given, and below zero."""
    own = client.certificate
    assert own is not None

    assert own.days_left() == 29
    assert own.days_left(own.not_after) == 0
    assert own.days_left(own.not_after - dt.timedelta(hours=49)) == 2
    assert own.days_left(own.not_after + dt.timedelta(hours=1)) == -1


def test_the_key_is_never_shown(client: Material) -> None:
    """Neither the text of the material nor that of its files holds a part of the key."""
    secret = (client.private_key or "").splitlines()[1]

    assert secret not in repr(client) + str(client) + repr(write_pem_files(client))
    assert "BEGIN" not in repr(client)


def test_survives_pickling(client: Material) -> None:
    """A program can hand its material to its own processes."""
    assert pickle.loads(pickle.dumps(client)) == client


@pytest.mark.parametrize(
    ("days", "error", "reason"),
    [
        ((-9, -2), CertificateExpiredError, "expired at"),
        ((2, 9), CertificateNotYetValidError, "is valid from"),
    ],
)
def test_a_certificate_outside_of_its_time(
    authority: Authority, days: tuple[int, int], error: type[MaterialError], reason: str
) -> None:
    """It can be read and looked at, and is refused when it is to be used."""
    own = authority.issue("demo__ada", first_day=days[0], last_day=days[1])
    material = material_of(own, authority)

    for use in (material.check, material.context, lambda: write_pem_files(material)):
        with pytest.raises(error, match=f"'CN=demo__ada' {reason}"):
            use()
    material.check(dt.datetime.now(dt.UTC) + dt.timedelta(days=sum(days) / 2))


def test_the_key_of_another(authority: Authority) -> None:
    """Key and certificate that do not belong together are refused at once."""
    own, other = authority.issue("a"), authority.issue("b")

    with pytest.raises(KeyMismatchError, match="belongs to another key"):
        material_of(Issued(own.certificate, other.key), authority)
    with pytest.raises(KeyMismatchError, match="it has none"):
        Material(private_key=own.key)
    with pytest.raises(MaterialFormatError, match="no private key"):
        Material(certificate_chain=own.certificate)


def test_text_that_is_no_pem() -> None:
    """A key that is none is a damaged key."""
    with pytest.raises(MaterialFormatError, match="private key cannot be read"):
        Material(private_key="key")


def test_another_host(client: Material, authority: Authority, tmp_path: Path) -> None:
    """A server whose certificate is for another host is refused, and the host named."""
    server = authority.issue("server", host="localhost")

    with (
        serve(tmp_path, server, authority) as port,
        pytest.raises(ssl.SSLCertVerificationError, match=r"not valid for 'elsewhere'"),
    ):
        call(port, client.context(), host="elsewhere")


def test_an_expired_server(client: Material, authority: Authority, tmp_path: Path) -> None:
    """A server whose certificate has expired is refused."""
    server = authority.issue("server", host="localhost", first_day=-9, last_day=-2)

    with (
        serve(tmp_path, server, authority) as port,
        pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"),
    ):
        call(port, client.context())


def test_an_unknown_authority(client: Material, authority: Authority, tmp_path: Path) -> None:
    """A server that somebody else vouches for is refused."""
    server = Authority("stranger").issue("server", host="localhost")

    with (
        serve(tmp_path, server, authority) as port,
        pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"),
    ):
        call(port, client.context())


def test_an_authority_that_is_no_root(authority: Authority, tmp_path: Path) -> None:
    """Who trusts an authority below a root needs no root."""
    middle = Authority("middle", Authority("root"))
    client = material_of(authority.issue("demo__ada"), middle)
    server = middle.issue("server", host="localhost")

    with serve(tmp_path, server, authority) as port:
        assert call(port, client.context()) == show("demo__ada")


def test_a_client_of_an_unknown_authority(authority: Authority, tmp_path: Path) -> None:
    """A server refuses a client that somebody else vouches for: ours is really shown."""
    client = material_of(Authority("stranger").issue("demo__ada"), authority)
    server = authority.issue("server", host="localhost")

    with (
        serve(tmp_path, server, authority) as port,
        pytest.raises(ssl.SSLError, match="unknown ca"),
    ):
        call(port, client.context())


def test_without_a_key_nothing_is_shown(authority: Authority) -> None:
    """A trust store alone makes a context that verifies."""
    context = Material(ca_certificates=authority.pem).context()

    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert [dict(sum(each["issuer"], ())) for each in context.get_ca_certs()] == [  # type: ignore[arg-type] # nested tuples
        {"commonName": "authority"}
    ]


def test_authorities_are_joined(client: Material) -> None:
    """Those of two stores are trusted together, each once, and the rest stays."""
    other = Authority("other")

    both = client.trusting(Material(ca_certificates=other.pem)).trusting(client)

    assert both.ca_certificates == client.ca_certificates + other.pem
    assert both.certificate == client.certificate
    assert both.private_key == client.private_key
