"""Copying and moving files and whole directories, under the old names.

What is copied appears whole at its target or not at all. A directory is copied to a hidden name
beside its target first; when it replaces one, the two swap their names in one step, and only then
is the old one removed. Where the system cannot swap names, the old one is moved away before the new
one takes its name: a crash between these two steps leaves the old one complete under a hidden name
beside the target.
"""

# ruff: noqa: FBT001, FBT002 - positional flags, as in the old library whose calls must work

import os
from pathlib import Path

from hops.hdfs.content import End, copy, same_content
from hops.hdfs.errors import (
    PathError,
    PathExistsError,
    PathNotDirectoryError,
    PathNotFoundError,
)
from hops.hdfs.local import LocalDisk
from hops.hdfs.paths import AnyPath, Place, locate
from hops.hdfs.store import normalise


def copy_to_hdfs(
    local_path: AnyPath,
    relative_hdfs_path: AnyPath,
    overwrite: bool = False,
    project: str | None = None,
) -> None:
    """Copy a local file or directory, with all that it holds, into the project.

    Symbolic links are followed: their content is copied.

    Args:
        local_path: What to copy; relative to the current directory.
        relative_hdfs_path: A directory that exists, or ends with a slash: the copy goes in it under
            its own name. Otherwise the name of the copy. Parents are made.
        overwrite: Whether to replace what is there under the name of the copy.
        project: Name of another project; the current one if `None`.

    Raises:
        FileNotFoundError: *local_path* does not exist.
        PathExistsError: The copy's name is taken, and *overwrite* is false.
    """
    source = _on_disk(local_path)
    if not local_path or not source.store.exists(source.path):
        message = f"The local file or directory {os.fsdecode(local_path)!r} does not exist."
        raise PathNotFoundError(message)
    target = _target(relative_hdfs_path, _name(source.path), project)
    _refuse_taken(target, overwrite=overwrite)
    copy(source, End(target.store, target.path), overwrite=overwrite)


def copy_to_local(
    hdfs_path: AnyPath,
    local_path: AnyPath = "",
    overwrite: bool = False,
    project: str | None = None,
) -> str:
    """Bring a file or directory of the project, with all that it holds, to the local disk.

    Afterwards the local copy is what the project holds: a local file or directory of this name is
    **replaced** if its content differs, and left alone if it is the same.

    Args:
        hdfs_path: What to copy.
        local_path: Local directory that the copy goes in, under its own name; the current one if
            empty. It must exist.
        overwrite: Whether to replace a local copy without comparing it first.
        project: Name of the project of a relative *hdfs_path*; the current one if `None`.

    Returns:
        Full local path of the copy.

    Raises:
        PathNotFoundError: *hdfs_path* or the directory *local_path* does not exist.
        PathNotDirectoryError: *local_path* is a file.
    """
    place = locate(hdfs_path, project).existing()
    directory = _on_disk(local_path or ".")
    _require_local_dir(directory)
    source = End(place.store, place.path)
    target = End(directory.store, f"{directory.path}/{_name(place.full)}")
    if overwrite or not same_content(source, target):
        copy(source, target, overwrite=True)
    return f"/{target.path}"


def localize(hdfs_path: AnyPath) -> str:
    """Do as `copy_to_local`, into the current directory."""
    return copy_to_local(hdfs_path)


def cp(src_hdfs_path: AnyPath, dest_hdfs_path: AnyPath, overwrite: bool = False) -> None:
    """Copy a file or directory, with all that it holds, within the project or between projects.

    Args:
        src_hdfs_path: What to copy.
        dest_hdfs_path: A directory that exists, or ends with a slash: the copy goes in it under its
            own name. Otherwise the name of the copy. Parents are made.
        overwrite: Whether to replace what is there under the name of the copy.

    Raises:
        PathNotFoundError: *src_hdfs_path* does not exist.
        PathExistsError: The copy's name is taken, and *overwrite* is false.
    """
    source = locate(src_hdfs_path).existing()
    target = _target(dest_hdfs_path, _name(source.full))
    _refuse_taken(target, overwrite=overwrite)
    copy(End(source.store, source.path), End(target.store, target.path), overwrite=overwrite)


def move(src: AnyPath, dest: AnyPath) -> None:
    """Move a file or a directory, at once within a project; between projects it is copied first.

    Args:
        src: What to move.
        dest: A directory that exists, or ends with a slash: it goes in there under its own name.
            Otherwise the new name. Parents are made.

    Raises:
        PathNotFoundError: *src* does not exist.
        PathExistsError: The new name is taken.
    """
    source = locate(src)
    target = _target(dest, _name(source.full))
    if source.root == target.root:
        source.store.rename(source.path, target.path)
        return
    if not source.path:
        message = f"{source.root!r} is the root of a project, which stays where it is."
        raise PathError(message)
    _refuse_taken(target, overwrite=False)
    copy(End(source.store, source.path), End(target.store, target.path), overwrite=False)
    source.store.remove(source.path, recursive=True)


def rename(src: AnyPath, dest: AnyPath) -> None:
    """Do as `move`: the old library had both."""
    move(src, dest)


def _target(path: AnyPath, name: str, project: str | None = None) -> Place:
    """Return the place of a copy called *name*: in the directory *path*, or *path* itself."""
    place = locate(path, project)
    if os.fsdecode(path).endswith("/") or place.store.is_dir(place.path):
        return Place(place.root, f"{place.path}/{name}".lstrip("/"))
    return place


def _refuse_taken(target: Place, *, overwrite: bool) -> None:
    if not overwrite and target.store.exists(target.path):
        message = f"{target.path!r} exists already (in {target.root})."
        raise PathExistsError(message, hint="overwrite=True replaces it.")


def _on_disk(local_path: AnyPath) -> End:
    path = Path(os.fsdecode(local_path)).absolute()
    if ".." in path.parts:
        path = path.parent.resolve() / path.name  # ".." after a symbolic link goes elsewhere
    return End(LocalDisk(), normalise(str(path)))


def _require_local_dir(directory: End) -> None:
    store, path = directory
    if not store.exists(path):
        message = f"The local directory '/{path}' does not exist."
        raise PathNotFoundError(message, hint=f"mkdir -p '/{path}'")
    if not store.is_dir(path):
        message = f"The local path '/{path}' is a file: a directory to copy into was expected."
        raise PathNotDirectoryError(message)


def _name(path: str) -> str:
    return path.rpartition("/")[2]
