import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from authority import Authority
from hops.core import SettingsError
from hops.tls import Material, PemFiles, write_pem_files

FIRST, SECOND = 65533, 65534


@contextmanager
def as_user(number: int) -> Iterator[None]:
    """Have the rights of an ordinary user for a while."""
    os.seteuid(number)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary directory that every user may write in, like that of the system."""
    if os.geteuid() != 0:
        pytest.skip("only root can become two other users")
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o1777)
        monkeypatch.setattr("tempfile.tempdir", name)
        yield place


@pytest.fixture
def material() -> Material:
    """What a client proves itself with."""
    authority = Authority("authority")
    own = authority.issue("demo__ada")
    return Material(
        private_key=own.key, certificate_chain=own.certificate, ca_certificates=authority.pem
    )


@pytest.fixture
def files(shared: Path, material: Material) -> PemFiles:
    """The files of the first user."""
    with as_user(FIRST):
        found = write_pem_files(material)
    assert found.folder.is_relative_to(shared)
    return found


def test_a_second_user_cannot_read_the_key(files: PemFiles, material: Material) -> None:
    """Another user of the machine can neither read nor list, and gets files of their own."""
    with as_user(SECOND):
        for file in files[1:]:
            with pytest.raises(PermissionError):
                file.read_bytes()
        with pytest.raises(PermissionError):
            list(files.folder.iterdir())
        own = write_pem_files(material)
        assert own.key.read_text() == material.private_key

    assert own.folder != files.folder
    assert own.key.stat().st_uid == SECOND


def test_a_second_user_cannot_prepare_the_place(shared: Path, material: Material) -> None:
    """A directory that another user made under our name is refused, and stays empty."""
    trap = shared / f"hops-tls-{FIRST}"
    with as_user(SECOND):
        trap.mkdir(mode=0o777)

    with as_user(FIRST), pytest.raises(SettingsError, match=f"belongs to user {SECOND}"):
        write_pem_files(material)

    assert list(trap.iterdir()) == []
