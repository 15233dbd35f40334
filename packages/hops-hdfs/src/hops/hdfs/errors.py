"""The errors of the project's files, and the one table from the operating system's to ours.

::

    HopsError
    ├── PathError (OSError, ValueError)             no path of this project, or one that is refused
    ├── PathNotFoundError (FileNotFoundError)
    ├── PathExistsError (FileExistsError)
    ├── PathIsDirectoryError (IsADirectoryError)    a file was expected
    ├── PathNotDirectoryError (NotADirectoryError)  a directory was expected
    ├── DirectoryNotEmptyError (OSError)
    ├── StoreNotWritableError (PermissionError)
    └── StoreFullError (OSError)                    no space, or a quota is used up

Every one is an `OSError`, so `except IOError` of an old program still catches it. `errno` tells the
kind of error, not the exact number that the operating system gave: that one is in `__cause__`.
"""

import errno as numbers
from typing import NamedTuple

from hops.core.errors import HopsError


class PathError(HopsError, OSError, ValueError):
    """The value is not a path inside the project, or what was asked is refused for this path."""

    errno = numbers.EINVAL


class PathNotFoundError(HopsError, FileNotFoundError):
    """Nothing is at this path."""

    errno = numbers.ENOENT


class PathExistsError(HopsError, FileExistsError):
    """Something is at this path already."""

    errno = numbers.EEXIST


class PathIsDirectoryError(HopsError, IsADirectoryError):
    """The path is a directory, where a file was expected."""

    errno = numbers.EISDIR


class PathNotDirectoryError(HopsError, NotADirectoryError):
    """The path, or a parent of it, is a file, where a directory was expected."""

    errno = numbers.ENOTDIR


class DirectoryNotEmptyError(HopsError, OSError):
    """The directory still holds something, where an empty one was expected."""

    errno = numbers.ENOTEMPTY


class StoreNotWritableError(HopsError, PermissionError):
    """The store, or this part of it, cannot be changed by this user."""

    errno = numbers.EACCES


class StoreFullError(HopsError, OSError):
    """The store has no space left for this user."""

    errno = numbers.ENOSPC


class _Meaning(NamedTuple):
    """What one error number means here: the class, the end of the sentence, what to do."""

    kind: type[HopsError]
    predicate: str
    hint: str | None = None


_FULL = _Meaning(
    StoreFullError,
    "could not be written: no space is left, or the quota is used up",
    "remove what is not needed any more, or set HOPS_PROJECT_DIR to a directory on a larger disk.",
)
_TOO_LARGE = _Meaning(
    StoreFullError,
    "could not be written: it would be larger than this file system or process may have it",
    "see `ulimit -f`.",
)
_NOT_WRITABLE = _Meaning(
    StoreNotWritableError,
    "cannot be changed by this user",
    "set HOPS_PROJECT_DIR to a directory that you may write, or ask its owner for permission.",
)
_NOT_EMPTY = _Meaning(
    DirectoryNotEmptyError,
    "is a directory that is not empty",
    "remove it with recursive=True.",
)
_NO_NAME = _Meaning(PathError, "is too long for this file system, which limits names to 255 bytes")
_ENDLESS = _Meaning(PathError, "is, or is below, a symbolic link that leads back to itself")
_MEANINGS = {
    numbers.ENOENT: _Meaning(PathNotFoundError, "does not exist"),
    numbers.EEXIST: _Meaning(PathExistsError, "exists already"),
    numbers.EISDIR: _Meaning(PathIsDirectoryError, "is a directory, and a file was expected"),
    numbers.ENOTDIR: _Meaning(
        PathNotDirectoryError, "or a parent of it is a file, and a directory was expected"
    ),
    numbers.ENOTEMPTY: _NOT_EMPTY,
    numbers.ENAMETOOLONG: _NO_NAME,
    numbers.ELOOP: _ENDLESS,
    numbers.ENOSPC: _FULL,
    numbers.EDQUOT: _FULL,
    numbers.EFBIG: _TOO_LARGE,
}
_MEANINGS_OF_WRITING = _MEANINGS | {
    numbers.EACCES: _NOT_WRITABLE,
    numbers.EPERM: _NOT_WRITABLE,
    numbers.EROFS: _NOT_WRITABLE,
}


def translate(error: OSError, path: str, store: str, *, writing: bool) -> OSError | HopsError:
    """Return the error of this package for *error*.

    Args:
        error: From the operating system.
        path: Project-relative path that the caller gave.
        store: Where it is.
        writing: Whether the operation changes the store: only then does a missing permission mean
            that the store is not writable.

    Returns:
        One of the classes above, or *error* itself: the caller's own error already, or one that
        has no special meaning here, such as a broken disk.
    """
    meaning = (_MEANINGS_OF_WRITING if writing else _MEANINGS).get(error.errno or 0)
    if meaning is None or isinstance(error, HopsError):
        return error
    return meaning.kind(f"{path!r} {meaning.predicate} (in {store}).", hint=meaning.hint)
