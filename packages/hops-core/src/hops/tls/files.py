"""Writing certificates and key where a client takes them from files only.

The directory is named after the user and after what it holds, so that a renewed certificate has
another one: no client ever finds a new key beside an old certificate.
"""

import os
from pathlib import Path
from stat import S_ISDIR
from typing import NamedTuple, NoReturn

from hops.core.errors import SettingsError
from hops.tls.material import Material

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_PRIVATE = 0o600
_OTHERS = 0o077
_NAME_LENGTH = 32
_FILES = ("client.pem", "client_key.pem", "ca_chain.pem")


class PemFiles(NamedTuple):
    """Where the parts of one `Material` are, for as long as the temporary directory is kept."""

    folder: Path
    """Mode 0700, and its parent, too."""

    certificate: Path
    """`client.pem`: the certificate chain, the client's own first."""

    key: Path
    """`client_key.pem`: the private key, not encrypted, mode 0600."""

    authorities: Path
    """`ca_chain.pem`: whom to trust."""


def write_pem_files(material: Material) -> PemFiles:
    """Make sure that *material* is in files that nobody but this user can read.

    They are in `hops-tls-<number of the user>` in the temporary directory (`TMPDIR`, else that of
    the system), in a directory named after the fingerprints of all certificates. Each appears
    whole, also when several processes ask at once; what is there already stays; what was removed or
    changed is written again. A part that *material* does not have becomes an empty file. Nothing is
    removed: clients may still read what was valid until now.

    Raises:
        CertificateExpiredError: The certificate's time is over; nothing is written.
        CertificateNotYetValidError: Its time has not begun; nothing is written.
        SettingsError: The directory belongs to somebody else, or others can look into it.
        OSError: It cannot be written.
    """
    material.check()
    folder = _make_private(_make_private(_place()) / _name(material))
    files = PemFiles(folder, *(folder / name for name in _FILES))
    _publish(files.certificate, material.certificate_chain.encode())
    _publish(files.key, (material.private_key or "").encode())
    _publish(files.authorities, material.ca_certificates.encode())
    return files


def _place() -> Path:
    import tempfile

    return Path(tempfile.gettempdir()).absolute() / f"hops-tls-{os.geteuid()}"


def _name(material: Material) -> str:
    import hashlib

    certificates = f"{material.certificate_chain}\0{material.ca_certificates}"
    return hashlib.sha256(certificates.encode()).hexdigest()[:_NAME_LENGTH]


def _make_private(folder: Path) -> Path:
    """Make a directory, or take one that is there only if nobody else can have put files there."""
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not S_ISDIR(status.st_mode):
        _refuse(folder, "it is a link to another place")
    if status.st_uid != os.geteuid():
        _refuse(folder, f"it belongs to user {status.st_uid}")
    if status.st_mode & _OTHERS:
        _refuse(folder, f"its mode {status.st_mode & 0o777:04o} lets others in")
    return folder


def _refuse(folder: Path, reason: str) -> NoReturn:
    message = f"The directory {str(folder)!r} cannot hold a private key: {reason}."
    message += " Expected a directory of the user's own, with mode 0700."
    raise SettingsError(message, hint="export TMPDIR=/a/directory/that/you/own")


def _publish(file: Path, content: bytes) -> None:
    """Let *file* have this content and be private, whole at every moment."""
    if _is_right(file, content):
        return
    part = file.with_name(f".{file.name}-{os.getpid()}-{os.urandom(8).hex()}")
    try:
        with os.fdopen(os.open(part, _NEW, _PRIVATE), "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _is_right(file: Path, content: bytes) -> bool:
    try:
        with file.open("rb") as stream:
            private = os.fstat(stream.fileno()).st_mode & _OTHERS == 0
            return private and stream.read() == content
    except FileNotFoundError:
        return False
