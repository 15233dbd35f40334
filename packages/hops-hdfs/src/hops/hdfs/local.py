"""The files of a project in a local directory, on a laptop or on a mounted file system.

Every method is a few system calls: a search writes thousands of small files through here.
"""

# System calls on strings, because a pathlib object costs as much as the call.
# ruff: noqa: PTH100, PTH108, PTH110, PTH112

import io
import os
from pathlib import Path
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Self

from hops.core.errors import HopsError
from hops.hdfs import atomic
from hops.hdfs.errors import PathError, translate
from hops.hdfs.store import Entry, normalise

if TYPE_CHECKING:
    from types import TracebackType

_SAFE_IN_URL = frozenset(ascii_letters + digits + "/-._~")


class LocalStore:
    """The files of a project in one local directory; see `hops.hdfs.store.Store`."""

    __slots__ = ("_prefix", "root", "url")

    root: str
    """Absolute path of the directory, without a slash at the end."""
    url: str
    """The same as a `file://` URL."""

    def __init__(self, root: str) -> None:
        """Use the directory *root*; if it is missing it counts as empty, and a write makes it.

        Raises:
            PathError: *root* is not absolute.
        """
        if not root.startswith("/"):
            message = f"{root!r} cannot be a project root: an absolute path was expected."
            raise PathError(message)
        self.root = "/" + os.path.normpath(root).lstrip("/")
        self.url = f"file://{_quote(self.root)}"
        self._prefix = f"{self.root.rstrip('/')}/"

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Open what `url` of another instance says: `file:///home/ada/hops/demo`."""
        return cls(_unquote(url.removeprefix("file://")))

    def __repr__(self) -> str:
        """Say which directory it is."""
        return f"{type(self).__name__}({self.root!r})"

    def read(self, path: str) -> bytes:
        """See `Store.read`."""
        with _Translating(self, path), _opened(self._at(path)) as file:
            return file.read()

    def exists(self, path: str) -> bool:
        """See `Store.exists`; a symbolic link that leads nowhere does not exist."""
        full = self._at(path)
        return full == self.root or os.path.exists(full)

    def is_dir(self, path: str) -> bool:
        """See `Store.is_dir`; a symbolic link to a directory is one."""
        full = self._at(path)
        return full == self.root or os.path.isdir(full)

    def list(self, path: str) -> list[Entry]:
        """See `Store.list`; symbolic links count as what they point to."""
        full = self._at(path)
        with _Translating(self, path):
            try:
                with os.scandir(full) as found:
                    described = [_describe(entry) for entry in found]
            except FileNotFoundError:
                if full != self.root:
                    raise
                return []
        return sorted(entry for entry in described if entry is not None)

    def mkdir(self, path: str) -> None:
        """See `Store.mkdir`."""
        with _Translating(self, path, writing=True):
            atomic.make_dirs(self._at(path))

    def create_dir(self, path: str) -> bool:
        """See `Store.create_dir`."""
        with _Translating(self, path, writing=True):
            return atomic.make_dir_if_absent(self._file_at(path))

    def publish(self, path: str, data: bytes) -> None:
        """See `Store.publish`."""
        with _Translating(self, path, writing=True):
            atomic.replace_file(self._file_at(path), lambda file: atomic.write_all(file, data))

    def publish_file(self, path: str, local: str | os.PathLike[str]) -> None:
        """See `Store.publish_file`."""
        target = self._file_at(path)
        with _opened(local) as source, _Translating(self, path, writing=True):
            atomic.replace_file(target, lambda file: atomic.copy_all(source.fileno(), file))

    def fetch_file(self, path: str, local: str | os.PathLike[str]) -> None:
        """See `Store.fetch_file`."""
        with _Translating(self, path):
            source = _opened(self._at(path))
        target = os.path.abspath(local)
        with source:
            atomic.replace_file(target, lambda file: atomic.copy_all(source.fileno(), file))

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """See `Store.put_if_absent`.

        On a file system without hard links, a reader may see the file empty for an instant.
        """
        with _Translating(self, path, writing=True):
            return atomic.create_file(
                self._file_at(path), lambda file: atomic.write_all(file, data)
            )

    def append(self, path: str, data: bytes) -> None:
        """See `Store.append`."""
        with _Translating(self, path, writing=True):
            atomic.append_to_file(self._file_at(path), data)

    def rename(self, source: str, target: str) -> None:
        """See `Store.rename`; a symbolic link is renamed itself."""
        old, new = self._file_at(source), self._file_at(target)
        if new.startswith(f"{old}/"):
            message = f"{source!r} cannot be moved to {target!r}, which is inside it."
            raise PathError(message)
        with _Translating(self, source, writing=True):
            is_dir = atomic.is_real_dir(old)
        with _Translating(self, target, writing=True):
            atomic.move(old, new, is_dir=is_dir)

    def exchange(self, one: str, other: str) -> bool:
        """Let two files or directories swap their names at once; `False` where that cannot be done.

        No other store has it: who replaces a directory needs another way, too.

        Raises:
            PathNotFoundError: One of them is not there.
        """
        with _Translating(self, other, writing=True):
            return atomic.exchange(self._file_at(one), self._file_at(other))

    def remove(self, path: str, *, recursive: bool = False) -> None:
        """See `Store.remove`."""
        full = self._file_at(path)
        with _Translating(self, path, writing=True):
            if not atomic.is_real_dir(full):
                os.unlink(full)
            elif recursive:
                atomic.remove_tree(full)
            else:
                atomic.remove_empty_dir(full)

    def local_path(self, path: str) -> Path:
        """See `Store.local_path`."""
        return Path(self._at(path))

    def _at(self, path: str) -> str:
        plain = normalise(path)
        return f"{self._prefix}{plain}" if plain else self.root

    def _file_at(self, path: str) -> str:
        """Return where *path* is, unless it is the root, which is no file and stays."""
        full = self._at(path)
        if full == self.root:
            message = f"{path!r} is the root of {self.root}: a path below it was expected."
            raise PathError(message)
        return full

    def _translate(self, error: OSError, path: str, *, writing: bool) -> OSError | HopsError:
        return translate(error, path, self.root, writing=writing)


class LocalDisk(LocalStore):
    """All of this machine's files, as the other end of a copy.

    Paths are absolute; the operating system's errors stay as they are, because they name the file
    and because nothing about the project would mend them.
    """

    __slots__ = ()

    def __init__(self) -> None:
        """Use the root directory of this machine."""
        super().__init__("/")

    def _translate(self, error: OSError, path: str, *, writing: bool) -> OSError:  # noqa: ARG002 - overrides
        return error


class _Translating:
    """Raises the errors of this package for those of the operating system."""

    __slots__ = ("path", "store", "writing")

    def __init__(self, store: LocalStore, path: str, *, writing: bool = False) -> None:
        self.store = store
        self.path = path
        self.writing = writing

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: "TracebackType | None",
    ) -> None:
        if isinstance(error, OSError):
            translated = self.store._translate(error, self.path, writing=self.writing)  # noqa: SLF001
            if translated is not error:
                raise translated from error


def _opened(path: str | os.PathLike[str]) -> io.FileIO:
    return io.FileIO(atomic.open_file(path))


def _describe(entry: os.DirEntry[str]) -> Entry | None:
    """Describe what *entry* points to, or itself if that is missing.

    Returns:
        `None` for an unfinished file, and for what has gone meanwhile.
    """
    if entry.name.startswith(atomic.TEMPORARY_PREFIX):
        return None
    for follow in (True, False):
        try:
            status = entry.stat(follow_symlinks=follow)
            is_dir = entry.is_dir(follow_symlinks=follow)
        except OSError:
            continue
        return Entry(entry.name, is_dir, status.st_size, status.st_mtime)
    return None


def _quote(path: str) -> str:
    if _SAFE_IN_URL.issuperset(path):
        return path
    from urllib.parse import quote

    return quote(os.fsencode(path))


def _unquote(path: str) -> str:
    if "%" not in path:
        return path
    from urllib.parse import unquote_to_bytes

    return os.fsdecode(unquote_to_bytes(path))
