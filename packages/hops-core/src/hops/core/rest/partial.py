"""The part of a file that has come so far."""

import contextlib
import os
from pathlib import Path
from typing import BinaryIO


class Partial:
    """A hidden file beside the target that grows until it takes the target's name.

    Its name is made of the target, the address and the version of the content, so that only the
    same content goes on in it. One process writes at a time; another one, and content without a
    version, gets a name by chance, which nobody finds again.
    """

    version: str | None
    """As the service names it; `None` where what came is of no use to another attempt."""

    size: int
    """Bytes so far."""

    def __init__(self, target: Path, url: str, version: str | None) -> None:
        """Open or make the file.

        Raises:
            OSError: The directory is not there, or may not be written.
        """
        import secrets

        self.version = version
        self._family = f".{_digest(f'{target.name} {url}')}"
        self._published = self._found_again = False
        if version:
            self._path = target.with_name(f"{self._family}-{_digest(version)}.part")
            self._file = _open(self._path)
            self._found_again = _lock(self._file, self._path)
            if not self._found_again:
                self._file.close()
        if not self._found_again:
            self._path = target.with_name(f"{self._family}-{secrets.token_hex()}.part")
            self._file = _open(self._path)
            _lock(self._file, self._path)
        self.size = os.fstat(self._file.fileno()).st_size

    def write(self, piece: bytes) -> None:
        """Append."""
        self._file.write(piece)
        self.size += len(piece)

    def clear(self) -> None:
        """Begin anew."""
        self._file.truncate(0)
        self.size = 0

    def publish(self, target: Path) -> None:
        """Give the file, which is whole now, the target's name; remove parts of other versions."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._path.replace(target)
        self._published = True
        for other in target.parent.glob(f"{self._family}-*.part"):
            _remove_unused(other)

    def close(self) -> None:
        """Close the file, and remove it where no other attempt could go on in it."""
        if not self._published and not (self._found_again and self.size):
            self._path.unlink(missing_ok=True)
        self._file.close()


def _digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def _open(path: Path) -> BinaryIO:
    # Through a link that somebody has put there, it would be another file that grows.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    return os.fdopen(os.open(path, flags, 0o666), "ab")


def _lock(file: BinaryIO, path: Path) -> bool:
    """Take the file for this process alone; false if another has it, or has just published it."""
    import fcntl

    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except OSError:  # also where a file system has no locks
        return False


def _remove_unused(path: Path) -> None:
    with contextlib.suppress(OSError), _open(path) as file:
        if _lock(file, path):
            path.unlink()
