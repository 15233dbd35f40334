"""Visiting a directory with everything below it."""

import os
from collections.abc import Iterator
from contextlib import suppress

from hops.hdfs.errors import PathError
from hops.hdfs.store import Entry, Store


def walk(store: Store, top: str, *, strict: bool = False) -> Iterator[tuple[str, Entry]]:
    """Visit everything below *top*, each directory before what it holds, sorted by name.

    A directory that somebody removes meanwhile is taken for empty.

    Args:
        store: Where to look.
        top: Directory, normalised.
        strict: Whether a symbolic link to a directory above itself, which has no end, is an error;
            else it is visited and not entered.

    Yields:
        The path in the store, and its entry in the listing.

    Raises:
        PathNotFoundError: *top* does not exist.
        PathError: *strict*, and there is such a link.
    """
    entered = [_real(store, top)]
    pending = [_children(store, top)]
    while pending:
        path, entry = next(pending[-1], (None, None))
        if path is None or entry is None:
            pending.pop()
            entered.pop()
            continue
        yield path, entry
        if entry.is_dir:
            real = _real(store, path)
            if real not in entered:
                entered.append(real)
                pending.append(_children_if_there(store, path))
            elif strict:
                message = f"{path!r} is a link to a directory above it (in {store.url})."
                raise PathError(message)


def _children(store: Store, directory: str) -> Iterator[tuple[str, Entry]]:
    prefix = f"{directory}/" if directory else ""
    return iter([(f"{prefix}{entry.name}", entry) for entry in store.list(directory)])


def _children_if_there(store: Store, directory: str) -> Iterator[tuple[str, Entry]]:
    with suppress(FileNotFoundError):
        return _children(store, directory)
    return iter(())


def _real(store: Store, path: str) -> str:
    """Return what is the same for two paths of one directory; only links make two."""
    local = store.local_path(path)
    return path if local is None else os.path.realpath(local)
