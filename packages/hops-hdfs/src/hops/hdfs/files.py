"""Reading, writing and listing the files of the project, under the old names.

Paths follow the rules of `hops.hdfs.paths`. Every error is an `OSError`, see `hops.hdfs.errors`.
"""

# ruff: noqa: FBT001, FBT002 - positional flags, as in the old library whose calls must work

from hops.hdfs.paths import AnyPath, Place, locate, without_address
from hops.hdfs.walk import walk


def exists(hdfs_path: AnyPath, project: str | None = None) -> bool:
    """Tell whether a file or a directory is there."""
    place = locate(hdfs_path, project)
    return place.store.exists(place.path)


def isdir(hdfs_path: AnyPath, project: str | None = None) -> bool:
    """Tell whether a path that exists is a directory.

    Raises:
        PathNotFoundError: Nothing is there.
    """
    place = locate(hdfs_path, project).existing()
    return place.store.is_dir(place.path)


def isfile(hdfs_path: AnyPath, project: str | None = None) -> bool:
    """Tell whether a path that exists is a file.

    Raises:
        PathNotFoundError: Nothing is there.
    """
    return not isdir(hdfs_path, project)


def mkdir(hdfs_path: AnyPath, project: str | None = None) -> None:
    """Make a directory and its parents; nothing happens if it is there.

    Raises:
        PathExistsError: A file is there.
    """
    place = locate(hdfs_path, project)
    place.store.mkdir(place.path)


def ls(hdfs_path: AnyPath, recursive: bool = False, exclude_nn_addr: bool = False) -> list[str]:
    """List what a directory holds, sorted by name; of a file, the file itself.

    Args:
        hdfs_path: The directory.
        recursive: Whether to list everything below it too, each directory before what it holds. A
            symbolic link to a directory above itself is listed and not entered.
        exclude_nn_addr: Leave the name node's address out of each path.

    Returns:
        Full paths, which every function here takes.

    Raises:
        PathNotFoundError: Nothing is there.
    """
    place = locate(hdfs_path).existing()
    paths = [Place(place.root, path).full for path in _listed(place, recursive=recursive)]
    return [without_address(path) for path in paths] if exclude_nn_addr else paths


def load(hdfs_path: AnyPath) -> bytes:
    """Return the whole content of a file.

    Raises:
        PathNotFoundError: Nothing is there.
        PathIsDirectoryError: It is a directory.
    """
    place = locate(hdfs_path)
    return place.store.read(place.path)


def dump(data: str | bytes, hdfs_path: AnyPath) -> None:
    """Write a whole file; it replaces an older one, and parents are made.

    Readers see the old content or the new one, never a part, also after a crash. The file is on
    the disk when the call returns.

    Args:
        data: Text is written as UTF-8.
        hdfs_path: The file.

    Raises:
        PathIsDirectoryError: A directory is there.
    """
    place = locate(hdfs_path)
    place.store.publish(place.path, data.encode() if isinstance(data, str) else data)


def delete(hdfs_path: AnyPath, recursive: bool = False) -> None:
    """Remove a file or an empty directory; with *recursive*, also what a directory holds.

    A symbolic link is removed itself, never what it points to.

    Raises:
        PathNotFoundError: Nothing is there.
        DirectoryNotEmptyError: It is a directory that holds something, and *recursive* is false.
        PathError: It is the root of a project.
    """
    place = locate(hdfs_path)
    place.store.remove(place.path, recursive=recursive)


def rmr(hdfs_path: AnyPath, project: str | None = None) -> None:
    """Remove a file, or a directory with all that it holds.

    A symbolic link is removed itself, never what it points to.

    Raises:
        PathNotFoundError: Nothing is there.
        PathError: It is the root of a project.
    """
    place = locate(hdfs_path, project)
    place.store.remove(place.path, recursive=True)


def _listed(place: Place, *, recursive: bool) -> list[str]:
    store, top = place.store, place.path
    if not store.is_dir(top):
        return [top]
    if recursive:
        return [path for path, _ in walk(store, top)]
    return [f"{top}/{entry.name}".lstrip("/") for entry in store.list(top)]
