"""Copying and comparing what two stores hold, files and directories alike."""

import os
from pathlib import Path
from typing import NamedTuple

from hops.hdfs.atomic import TEMPORARY_PREFIX
from hops.hdfs.local import LocalDisk, LocalStore
from hops.hdfs.store import Store
from hops.hdfs.walk import walk

_COMPARED_BYTES = 1 << 20


class End(NamedTuple):
    """One end of a copy."""

    store: Store
    path: str
    """In the store, normalised."""

    def __truediv__(self, path: str) -> "End":
        """Return a place below."""
        return End(self.store, f"{self.path}/{path}".lstrip("/"))

    def below(self, path: str) -> str:
        """Return *path* of the same store, relative to this one."""
        return path[len(self.path) :].lstrip("/")


def copy(source: End, target: End, *, overwrite: bool) -> None:
    """Copy a file or a directory.

    Args:
        source: What to copy.
        target: The name of the copy, which it gets when it is complete.
        overwrite: Whether to replace what is at *target*.

    Raises:
        FileExistsError: Something is at *target*, and *overwrite* is false.
        PathError: A directory holds a link to a directory above itself: a copy has no end.
    """
    is_file = not source.store.is_dir(source.path)
    if overwrite and is_file and not target.store.is_dir(target.path):
        _copy_file(source, target)
        return
    staged = End(target.store, _hidden_beside(target.path))
    try:
        _copy_tree(source, staged)
        if overwrite:
            _put_in_place(target.store, staged.path, target.path)
        else:
            target.store.rename(staged.path, target.path)
    finally:
        if target.store.exists(staged.path):
            target.store.remove(staged.path, recursive=True)


def same_content(one: End, other: End) -> bool:
    """Tell whether two files, or two directories with all that they hold, are the same.

    `False` also where it cannot be told without fetching the content, or where somebody replaces
    one of them meanwhile.
    """
    try:
        return _same(one, other)
    except FileNotFoundError:
        return False


def _same(one: End, other: End) -> bool:
    if one.store.is_dir(one.path) != other.store.is_dir(other.path):
        return False
    if not one.store.is_dir(one.path):
        return _same_file(one, other)
    tree = _tree(one)
    return tree == _tree(other) and all(
        is_dir or _same_file(one / path, other / path) for path, is_dir in tree
    )


def _copy_tree(source: End, target: End) -> None:
    if not source.store.is_dir(source.path):
        _copy_file(source, target)
        return
    target.store.mkdir(target.path)
    for path, entry in walk(source.store, source.path, strict=True):
        copied = target / source.below(path)
        if entry.is_dir:
            target.store.mkdir(copied.path)
        else:
            _copy_file(End(source.store, path), copied)


def _copy_file(source: End, target: End) -> None:
    """Copy one file by way of whichever end is a local file."""
    local_target = target.store.local_path(target.path)
    if local_target is not None and isinstance(target.store, LocalDisk):
        source.store.fetch_file(source.path, local_target)
        return
    local_source = source.store.local_path(source.path)
    if local_source is not None:
        target.store.publish_file(target.path, local_source)
        return
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="hops-") as scratch:
        local = Path(scratch, "file")
        source.store.fetch_file(source.path, local)
        target.store.publish_file(target.path, local)


def _put_in_place(store: Store, staged: str, target: str) -> None:
    """Let *staged* replace *target*; of several that do so at once, the last one stays."""
    while not _rename_if_free(store, staged, target):
        if _exchange(store, staged, target):
            store.remove(staged, recursive=True)  # by now the older one
            return
        old = _hidden_beside(target)
        if not _rename_if_there(store, target, old):
            continue  # somebody else has just moved it away
        try:
            is_done = _rename_if_free(store, staged, target)
        except BaseException:
            store.rename(old, target)
            raise
        store.remove(old, recursive=True)
        if is_done:
            return


def _rename_if_free(store: Store, source: str, target: str) -> bool:
    try:
        store.rename(source, target)
    except FileExistsError:
        return False
    return True


def _exchange(store: Store, one: str, other: str) -> bool:
    try:
        return isinstance(store, LocalStore) and store.exchange(one, other)
    except FileNotFoundError:
        return False


def _rename_if_there(store: Store, source: str, target: str) -> bool:
    try:
        store.rename(source, target)
    except FileNotFoundError:
        return False
    return True


def _hidden_beside(path: str) -> str:
    """Return a new name in the same directory that no listing shows."""
    parent = path.rpartition("/")[0]
    return f"{parent}/{TEMPORARY_PREFIX}{os.getpid()}-{os.urandom(8).hex()}".lstrip("/")


def _tree(top: End) -> list[tuple[str, bool]]:
    return [(top.below(path), entry.is_dir) for path, entry in walk(top.store, top.path)]


def _same_file(one: End, other: End) -> bool:
    local, other_local = one.store.local_path(one.path), other.store.local_path(other.path)
    if local is None or other_local is None or not local.is_file() or not other_local.is_file():
        return False
    with local.open("rb") as file, other_local.open("rb") as other_file:
        if os.fstat(file.fileno()).st_size != os.fstat(other_file.fileno()).st_size:
            return False
        while data := file.read(_COMPARED_BYTES):
            if data != other_file.read(_COMPARED_BYTES):
                return False
        return not other_file.read(1)
