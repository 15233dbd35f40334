"""Whatever a file holds, the readers answer with material or with an error of ours."""

import hashlib
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authority import Authority
from hops.tls import MaterialError, read_keystore
from keytool import KINDS, PASSWORD, Store

DIGEST_BYTES = 20
JKS = b"\xfe\xed\xfe\xed"
MAGICS = [b"", JKS, b"\xce\xce\xce\xce", b"\x30\x82", b"-----BEGIN CERTIFICATE-----\n"]

fuzzed = settings(
    database=None,
    deadline=None,
    derandomize=True,  # what is found here is found by everybody
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


@st.composite
def damages(draw: st.DrawFn) -> tuple[float, int, bytes]:
    """Where to change a file, in parts of it; how many bytes to drop there; what to put there."""
    place = draw(st.floats(0, 1, exclude_max=True))
    return place, draw(st.integers(0, 6)), draw(st.binary(max_size=6))


def damage(data: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    """Make each of the changes."""
    for part, dropped, put in changes:
        place = int(part * len(data))
        data = data[:place] + put + data[place + dropped :]
    return data


def sign(data: bytes) -> bytes:
    """Replace the digest of a Java store by that of what it holds, so that the reader goes on."""
    body = data[:-DIGEST_BYTES]
    whole = PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + body
    return body + hashlib.sha1(whole, usedforsecurity=False).digest()


@fuzzed
@given(magic=st.sampled_from(MAGICS), rest=st.binary(max_size=200), password=st.text(max_size=9))
def test_any_bytes(magic: bytes, rest: bytes, password: str) -> None:
    """Bytes of no meaning after the beginning of each format."""
    with suppress(MaterialError):
        read_keystore(magic + rest, password)


@pytest.mark.parametrize("kind", KINDS)
@fuzzed
@given(changes=st.lists(damages(), min_size=1, max_size=3))
def test_damaged_stores(
    stores: dict[tuple[str, str], Store], kind: str, changes: list[tuple[float, int, bytes]]
) -> None:
    """Stores of keytool, changed in some places."""
    store = stores["EC", kind]

    with suppress(MaterialError):
        read_keystore(damage(store.data, changes), PASSWORD, store.key_password)


@fuzzed
@given(changes=st.lists(damages(), min_size=1, max_size=3))
def test_damaged_java_stores_with_a_right_digest(
    stores: dict[tuple[str, str], Store], changes: list[tuple[float, int, bytes]]
) -> None:
    """Stores whose author knew the password: what is inside is read as well."""
    store = stores["EC", "JKS-two"]

    with suppress(MaterialError):
        read_keystore(sign(damage(store.data, changes)), PASSWORD, store.key_password)


@fuzzed
@given(changes=st.lists(damages(), min_size=1, max_size=3), encrypted=st.booleans())
def test_damaged_pem(
    authority: Authority, changes: list[tuple[float, int, bytes]], *, encrypted: bool
) -> None:
    """PEM texts, changed in some places."""
    own = authority.issue("demo__ada")
    text = own.key + own.certificate + authority.pem
    if encrypted:
        text = text.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")

    with suppress(MaterialError):
        read_keystore(damage(text.encode(), changes), PASSWORD)
