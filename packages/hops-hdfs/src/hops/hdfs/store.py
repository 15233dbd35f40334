"""What a store of files can do, and how to open one.

A store holds the files of one project. `LocalStore` (`hops.hdfs.local`) is a directory; each other
backend is one more class with these methods that passes `hops.hdfs.testing.StoreConformance`.

Paths are POSIX strings relative to the project root: `"Experiments/a/logfile"`. `""`, `"."` and
`"/"` are the root, which is a directory from the beginning. `..` may not leave the project.
"""

import os
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, Protocol

from hops.hdfs.errors import PathError
from hops.project import current

_BACKENDS = {
    "file": "hops.hdfs.local:LocalStore",
}
"""URL scheme to `module:class`, imported when first opened."""


class Entry(NamedTuple):
    """One file or directory in a listing."""

    name: str
    """Last part of the path."""
    is_dir: bool
    size_bytes: int
    """Length of a file; without meaning for a directory."""
    modified: float
    """Time of the last change of the content, in seconds since 1970 (UTC)."""


class Store(Protocol):
    """The files of one project.

    Every method raises the errors of `hops.hdfs.errors`: `PathError` for a path that leaves the
    project, `PathNotFoundError`, `PathIsDirectoryError` and so on for what it meets there,
    `StoreNotWritableError` and `StoreFullError` when writing.

    A store can be pickled, and used by many threads and processes at once.
    """

    @property
    def url(self) -> str:
        """What `open_store` needs to open the same store in another process."""
        ...

    def read(self, path: str) -> bytes:
        """Return the whole content of a file."""
        ...

    def exists(self, path: str) -> bool:
        """Tell whether a file or a directory is there."""
        ...

    def is_dir(self, path: str) -> bool:
        """Tell whether *path* is a directory; `False` when nothing is there."""
        ...

    def list(self, path: str) -> list[Entry]:
        """Return what a directory holds, sorted by name, without unfinished files."""
        ...

    def mkdir(self, path: str) -> None:
        """Make a directory and its parents; nothing happens if it is there."""
        ...

    def create_dir(self, path: str) -> bool:
        """Make a directory that nobody else made, to claim a name; parents are made.

        Returns:
            Whether this call made it; `False` if anything was there. Of many callers at once,
            exactly one gets `True`.
        """
        ...

    def publish(self, path: str, data: bytes) -> None:
        """Write a whole file; it replaces an older one, and parents are made.

        Readers see the old content or the new one, never a part; so does whoever looks after a
        crash. When the call returns, the file has survived a power failure.
        """
        ...

    def publish_file(self, path: str, local: str | os.PathLike[str]) -> None:
        """Do as `publish`, with the content of the local file *local*.

        Raises:
            OSError: *local* cannot be read, or is no regular file.
        """
        ...

    def fetch_file(self, path: str, local: str | os.PathLike[str]) -> None:
        """Copy a file of the store to the local file *local*, whole or not at all.

        Parents of *local* are made.

        Raises:
            OSError: *local* cannot be written. An older *local* is then as it was.
        """
        ...

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """Do as `publish`, unless something is there already.

        Returns:
            Whether this call wrote the file. Of many callers at once, exactly one gets `True`.
        """
        ...

    def append(self, path: str, data: bytes) -> None:
        """Add *data* at the end of a file in one piece; the file and its parents are made.

        Of many processes that append at once, each one's *data* stays together. The call does not
        wait for the disk: a crash of the program loses nothing, a power failure the last seconds.

        Raises:
            NotImplementedError: The store cannot append; write a file per writer instead.
        """
        ...

    def rename(self, source: str, target: str) -> None:
        """Move a file or a directory at once; the parents of *target* are made.

        When the call returns, the move has survived a power failure.

        Raises:
            PathExistsError: Something is at *target*.
        """
        ...

    def remove(self, path: str, *, recursive: bool = False) -> None:
        """Remove a file or an empty directory; with *recursive*, also what a directory holds.

        A symbolic link is removed itself, never what it points to.

        Raises:
            PathError: *path* is the root of the project.
            DirectoryNotEmptyError: *path* is a directory that holds something.
        """
        ...

    def local_path(self, path: str) -> Path | None:
        """Return where the file can be opened directly; `None` if only through the store."""
        ...


def normalise(path: str) -> str:
    """Return the one spelling of *path*: no leading, trailing or double slash, no `.` or `..`.

    Raises:
        PathError: `..` leaves the project, or there is a null byte, which no name can have.

    Example:
        >>> normalise("/Resources//./a/../b c.txt")
        'Resources/b c.txt'
    """
    if "\0" in path:
        message = f"{path!r} is no path: a null byte cannot be part of a name."
        raise PathError(message)
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                message = f"{path!r} leaves the project: a path stays below the project root."
                raise PathError(message)
            parts.pop()
        elif part and part != ".":
            parts.append(part)
    return "/".join(parts)


def open_store(url: str) -> Store:
    """Open the store at *url*, as `Store.url` gives it: `file:///home/ada/hops/demo`.

    Nothing is read or made: that the directory is missing shows with the first call.

    Raises:
        PathError: The URL is of no kind that a backend knows.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in _BACKENDS:
        known = ", ".join(f"{name}://" for name in _BACKENDS)
        message = f"{url!r} is not the URL of a store: it should begin with one of {known}."
        raise PathError(message)
    module, _, name = _BACKENDS[scheme].partition(":")
    store: Store = getattr(import_module(module), name).from_url(url)
    return store


def store_at(root: str) -> Store:
    """Open the store whose root is *root*: an absolute directory, or a URL for `open_store`."""
    if root.startswith("/"):
        from hops.hdfs.local import LocalStore

        return LocalStore(root)
    return open_store(root)


def current_store() -> Store:
    """Open the files of the current project, see `hops.project.current`."""
    return store_at(current().root)
