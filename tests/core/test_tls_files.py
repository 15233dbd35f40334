"""Where the program's certificates are found, and the files that are made of them."""

import base64
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from authority import Authority, Issued
from hops import tls
from hops.core import SettingsError
from hops.tls import Material, MaterialError, MaterialFormatError, MaterialNotFoundError

USER = "demo__ada"

AT_ONCE = """
import os, sys, tempfile
from pathlib import Path
from hops import tls

expected = [Path(sys.argv[1], name).read_text() for name in sys.argv[2:]]
for number in range(50):
    tempfile.tempdir = os.path.join(os.environ["TMPDIR"], str(number))
    os.makedirs(tempfile.tempdir, exist_ok=True)
    places = (tls.get_client_certificate_location(), tls.get_client_key_location())
    found = [Path(place).read_text() for place in places]
    if found != expected:
        sys.exit(f"{number}: {found}")
"""


def put(folder: Path, own: Issued, trusted: Authority, names: tuple[str, str, str]) -> None:
    """Do as the cluster: a key store, a trust store and a password with the end of its line."""
    keys, trust, password = (folder / name for name in names)
    keys.write_text(own.key + own.certificate)
    trust.write_text(trusted.pem)
    password.write_text("store-secret\n")


def put_container(folder: Path, own: Issued, trusted: Authority) -> None:
    """Put the files of a Spark container."""
    put(folder, own, trusted, ("k_certificate", "t_certificate", "material_passwd"))


def put_directory(folder: Path, own: Issued, trusted: Authority) -> None:
    """Put the files of `MATERIAL_DIRECTORY`."""
    put(folder, own, trusted, (f"{USER}__kstore.jks", f"{USER}__tstore.jks", f"{USER}__cert.key"))


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary directory of the test's own, and an empty working directory."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return place


@pytest.fixture
def directory(tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cluster's `MATERIAL_DIRECTORY`, with the environment that goes with it."""
    place = tmp_path / "material"
    place.mkdir()
    put_directory(place, authority.issue(USER), authority)
    monkeypatch.setenv("MATERIAL_DIRECTORY", str(place))
    monkeypatch.setenv("HADOOP_USER_NAME", USER)
    return place


@pytest.fixture
def client(authority: Authority) -> Material:
    """What a client proves itself with."""
    own = authority.issue(USER)
    return Material(
        private_key=own.key, certificate_chain=own.certificate, ca_certificates=authority.pem
    )


def test_the_directory_of_the_cluster(directory: Path, authority: Authority) -> None:
    """The files of the user are found, and what both stores trust is trusted."""
    material = tls.find_material()

    assert material.certificate is not None
    assert material.certificate.subject == f"CN={USER}"
    assert material.ca_certificates == authority.pem
    assert tls.get_key_store() == str(directory / f"{USER}__kstore.jks")
    assert tls.get_trust_store() == str(directory / f"{USER}__tstore.jks")


def test_a_trust_store_that_trusts_nobody_is_refused(directory: Path) -> None:
    """It must not mean that everybody whom the system knows is trusted."""
    own = (directory / f"{USER}__kstore.jks").read_text()  # a key, and the certificate of it
    (directory / f"{USER}__tstore.jks").write_text(own)

    with pytest.raises(MaterialFormatError, match="trusts nobody"):
        tls.find_material()


@pytest.mark.usefixtures("directory")
def test_the_container_comes_first(authority: Authority) -> None:
    """The files of the working directory win, and are named by absolute paths."""
    put_container(Path.cwd(), authority.issue("container"), authority)

    material = tls.find_material()

    assert material.certificate is not None
    assert material.certificate.subject == "CN=container"
    assert tls.get_key_store() == str(Path.cwd() / "k_certificate")
    assert tls.get_trust_store() == str(Path.cwd() / "t_certificate")


def test_the_other_name_of_the_user(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `HADOOP_USER_NAME`, `HDFS_USER` says whose files they are."""
    monkeypatch.delenv("HADOOP_USER_NAME")
    monkeypatch.setenv("HDFS_USER", USER)

    assert tls.get_key_store() == str(directory / f"{USER}__kstore.jks")


def test_nothing_there(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names each place, and the variable that is missing."""
    (directory / f"{USER}__tstore.jks").unlink()
    with pytest.raises(MaterialNotFoundError, match="There is no trust store") as raised:
        tls.find_material()
    assert f"'{Path.cwd()}/t_certificate' and '{directory}/{USER}__tstore.jks'" in str(raised.value)
    assert raised.value.hint is None

    monkeypatch.delenv("HADOOP_USER_NAME")
    with pytest.raises(MaterialNotFoundError, match="export HADOOP_USER_NAME="):
        tls.find_material()

    monkeypatch.delenv("MATERIAL_DIRECTORY")
    with pytest.raises(MaterialNotFoundError, match="export MATERIAL_DIRECTORY="):
        tls.find_material()


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_the_password_has_no_end_of_line(directory: Path, end: str) -> None:
    """The end of the line is no part of it; spaces are."""
    (directory / f"{USER}__cert.key").write_bytes(f" store secret {end}".encode())

    assert tls.get_key_store_pwd() == tls.get_trust_store_pwd() == " store secret "


def test_a_password_that_is_no_text(directory: Path) -> None:
    """The error names the file, and shows nothing of it."""
    (directory / f"{USER}__cert.key").write_bytes(b"secret\xff")

    with pytest.raises(MaterialFormatError, match=r"__cert\.key' holds no UTF-8") as raised:
        tls.get_key_store_pwd()

    assert "secret" not in str(raised.value)
    assert raised.value.__context__ is None


def test_the_key_store_in_base64(directory: Path) -> None:
    """It is the whole file, as the old library gave it."""
    data = (directory / f"{USER}__kstore.jks").read_bytes()

    assert base64.b64decode(tls.get_key_store_cert()) == data


def test_pem_files(directory: Path, authority: Authority) -> None:
    """Each of the old calls leads to a file with its part, in the directory of all three."""
    own = (directory / f"{USER}__kstore.jks").read_text()
    key, certificate, authorities = (
        Path(place)
        for place in (
            tls.get_client_key_location(),
            tls.get_client_certificate_location(),
            tls.get_ca_chain_location(),
        )
    )

    assert key.read_text() + certificate.read_text() == own
    assert authorities.read_text() == authority.pem
    for file, name in (
        (key, "client_key.pem"),
        (certificate, "client.pem"),
        (authorities, "ca_chain.pem"),
    ):
        assert tls.pems_dir(name) == file


def test_a_key_store_without_a_key(directory: Path, authority: Authority) -> None:
    """Whom to trust is in a file; a key that is not there is an error."""
    (directory / f"{USER}__kstore.jks").write_text(authority.pem)

    assert Path(tls.get_ca_chain_location()).read_text() == authority.pem
    for call in (tls.get_client_key_location, tls.get_client_certificate_location):
        with pytest.raises(MaterialNotFoundError, match="holds no private key"):
            call()


def test_a_renewed_certificate_is_seen(directory: Path, authority: Authority) -> None:
    """The next call has it; what clients read before stays."""
    before, place = tls.find_material(), Path(tls.get_client_certificate_location())
    old = place.read_text()

    new = authority.issue(USER)
    put_directory(directory, new, authority)

    assert tls.find_material() != before
    assert Path(tls.get_client_certificate_location()).read_text() == new.certificate
    assert Path(tls.get_client_key_location()).read_text() == new.key
    assert place.read_text() == old


def test_a_store_that_is_replaced_while_it_is_read(
    directory: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of before and after that do not fit are read again, once they have changed."""
    new = authority.issue(USER)

    def replace_meanwhile(data: bytes, password: str) -> Material:
        monkeypatch.setattr("hops.tls.find.read_keystore", tls.read_keystore)
        put_directory(directory, new, authority)
        return tls.read_keystore(data[: len(data) // 2], password)

    monkeypatch.setattr("hops.tls.find.read_keystore", replace_meanwhile)

    assert tls.find_material().certificate_chain == new.certificate


def test_a_store_that_stays_damaged(directory: Path) -> None:
    """What does not change is not read again: its error is the answer."""
    file = directory / f"{USER}__kstore.jks"
    file.write_text(file.read_text()[:300])

    with pytest.raises(MaterialError):
        tls.find_material()


def test_nobody_else_can_read_the_files(client: Material, temporary: Path) -> None:
    """Directories are 0700 and files 0600, whatever the mask allows."""
    before = os.umask(0)
    try:
        files = tls.write_pem_files(client)
    finally:
        os.umask(before)

    modes = {path: path.stat().st_mode & 0o777 for path in temporary.rglob("*")}
    assert modes == {
        files.folder.parent: 0o700,
        files.folder: 0o700,
        files.certificate: 0o600,
        files.key: 0o600,
        files.authorities: 0o600,
    }


def test_what_is_right_stays(client: Material) -> None:
    """The second call writes nothing."""
    files = tls.write_pem_files(client)
    before = [path.stat() for path in files]

    assert tls.write_pem_files(client) == files
    assert [path.stat() for path in files] == before


@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        lambda file: file.write_text("half"),
        lambda file: file.write_bytes(b"\xff"),
        lambda file: file.chmod(0o644),
    ],
    ids=["removed", "cut off", "no text", "open to all"],
)
def test_what_is_damaged_is_mended(client: Material, damage: Callable[[Path], object]) -> None:
    """A cleaner of temporary files, or a full disk, costs one more writing."""
    files = tls.write_pem_files(client)
    damage(files.key)

    tls.write_pem_files(client)

    assert files.key.read_text() == client.private_key
    assert files.key.stat().st_mode & 0o777 == 0o600
    assert sorted(files.folder.iterdir()) == sorted(files[1:])


@pytest.mark.parametrize("trouble", ["link", "open", "of another user"])
def test_a_place_that_others_have_made(
    client: Material, temporary: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """A directory that somebody else may have prepared gets no key."""
    place = temporary / f"hops-tls-{os.geteuid()}"
    if trouble == "link":
        (temporary / "elsewhere").mkdir(mode=0o700)
        place.symlink_to(temporary / "elsewhere")
    elif trouble == "open":
        place.mkdir()
        place.chmod(0o750)
    else:
        number = os.geteuid() + 1
        (temporary / f"hops-tls-{number}").mkdir(mode=0o700)
        monkeypatch.setattr(os, "geteuid", lambda: number)

    with pytest.raises(SettingsError, match="cannot hold a private key") as raised:
        tls.write_pem_files(client)

    assert "TMPDIR" in (raised.value.hint or "")
    assert [path for path in temporary.rglob("*") if path.is_file()] == []


def test_several_programs_at_once(directory: Path, temporary: Path, tmp_path: Path) -> None:
    """Programs that ask at the same time find whole files, each time."""
    material = tls.find_material()
    (tmp_path / "certificate").write_text(material.certificate_chain)
    (tmp_path / "key").write_text(material.private_key or "")
    command = [sys.executable, "-c", AT_ONCE, str(tmp_path), "certificate", "key"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(temporary)}
    env["MATERIAL_DIRECTORY"] = str(directory)

    programs = [subprocess.Popen(command, env=env, stderr=subprocess.PIPE) for _ in range(3)]

    errors = [program.communicate()[1].decode() for program in programs]
    assert [program.returncode for program in programs] == [0, 0, 0], errors
