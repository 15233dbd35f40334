"""Changing a local file system so that nobody ever sees half a change, not even after a crash.

Everything here takes absolute local paths and raises plain `OSError`. A new file is written under a
temporary name beside its target, brought to the disk by fsync, and only then given its name; then
the directory is synchronised too, because the name lives there.
"""

# System calls on strings, because a pathlib object costs as much as the call.
# ruff: noqa: PTH102, PTH104, PTH105, PTH106, PTH108, PTH112, PTH116, PTH120, PTH208

import errno
import fcntl
import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from stat import S_IMODE, S_ISDIR, S_ISREG
from typing import TypeVar

TEMPORARY_PREFIX = ".tmp-hops-"
"""How the name of an unfinished file starts; the number of the process that writes it follows."""

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_NOT_OFFERED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTTY})
"""What file systems answer to an operation that they do not have; FUSE mounts lack several."""
_NO_LINKS = _NOT_OFFERED | {errno.EPERM, errno.EMLINK}
_NO_LOCKS = _NOT_OFFERED | {errno.ENOLCK, errno.EBADF}
_NO_PERMISSIONS = _NOT_OFFERED | {errno.EPERM}
_NO_RANGE_COPY = _NOT_OFFERED | {errno.EXDEV, errno.EBADF}
_OTHERS_AT_WORK = frozenset({errno.ENOENT, errno.ENOTEMPTY})
_TRIES = 10
_COPY_BYTES = 1 << 26  # small enough for Ctrl-C to be heard between two calls
_READ_BYTES = 1 << 20
_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2
_R = TypeVar("_R")


def sync_dir(path: str) -> None:
    """Bring the names in the directory *path* to the disk, where the system lets this user.

    Whoever may write in a directory and not list it cannot open it: there the system brings the
    names to the disk when it wants to.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_OFFERED:
            raise
    finally:
        os.close(descriptor)


def make_dirs(path: str) -> None:
    """Make the directory *path* and its parents, each on the disk; fine if it is there."""
    try:
        _make_dir(path)
    except FileNotFoundError:
        _make_parents(path)
        _make_dir(path)


def make_dir_if_absent(path: str) -> bool:
    """Make the directory *path*; `False` if anything was there."""
    try:
        _with_parents(path, lambda: os.mkdir(path))
    except FileExistsError:
        return False
    sync_dir(os.path.dirname(path))
    return True


def replace_file(target: str, fill: Callable[[int], None]) -> None:
    """Let *fill* write a new file to a descriptor, then put it at *target*.

    The new file has the permissions of the one that it replaces.
    """
    with _unfinished(target, fill) as temporary:
        os.replace(temporary, target)
        sync_dir(os.path.dirname(target))


def create_file(target: str, fill: Callable[[int], None]) -> bool:
    """Do as `replace_file`, but only if nothing is at *target*; tell whether it was done.

    On a file system without hard links, the file is empty for an instant before it is whole.
    """
    if os.path.lexists(target):
        return False
    with _unfinished(target, fill) as temporary:
        if not _name_if_free(temporary, target):
            return False
        sync_dir(os.path.dirname(target))
        return True


def append_to_file(path: str, data: bytes) -> None:
    """Add *data* at the end of *path* in one piece.

    The kernel keeps a single write together on a local file system; the lock does so on a network
    file system, and lets a write that found the disk full be taken back.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    descriptor = _with_parents(path, lambda: os.open(path, flags, 0o666))
    try:
        locked = _lock(descriptor)
        size_bytes = os.fstat(descriptor).st_size
        try:
            write_all(descriptor, data)
        except BaseException:
            if locked:
                os.ftruncate(descriptor, size_bytes)
            raise
    finally:
        os.close(descriptor)


def is_real_dir(path: str) -> bool:
    """Tell whether *path* is a directory, and no symbolic link to one; it must be there."""
    return S_ISDIR(os.lstat(path).st_mode)


def remove_empty_dir(path: str) -> None:
    """Remove a directory that holds nothing but what killed writers left unfinished."""
    try:
        os.rmdir(path)
    except OSError as error:
        names = os.listdir(path) if error.errno == errno.ENOTEMPTY else []
        if not names or not all(name.startswith(TEMPORARY_PREFIX) for name in names):
            raise
        remove_tree(path)


def remove_tree(path: str) -> None:
    """Remove a directory with all that it holds; other processes may write or remove in it."""
    from shutil import rmtree

    for _ in range(_TRIES):
        try:
            rmtree(path)
        except OSError as error:
            if error.errno not in _OTHERS_AT_WORK:
                raise
        if not os.path.lexists(path):
            return
    rmtree(path)


def move(source: str, target: str, *, is_dir: bool) -> None:
    """Rename a file or a directory; `FileExistsError` if anything is at *target*."""
    _make_parents(target)
    if not _renameat2(source, target, _RENAME_NOREPLACE):
        (_move_dir if is_dir else _move_file)(source, target)
    # A crash may leave the old name as well, never none: that of the source is not waited for.
    sync_dir(os.path.dirname(target))


def exchange(one: str, other: str) -> bool:
    """Let two files or directories swap their names in one step.

    Returns:
        `False` where the system cannot, and nothing was done.

    Raises:
        FileNotFoundError: One of them is not there.
    """
    if not _renameat2(one, other, _RENAME_EXCHANGE):
        return False
    sync_dir(os.path.dirname(one))
    sync_dir(os.path.dirname(other))
    return True


def open_file(path: str | os.PathLike[str]) -> int:
    """Open a regular file for reading; a pipe would let the caller wait for ever."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    raise OSError(errno.EINVAL, "Not a regular file", os.fspath(path))


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of *data*, with as few calls as the kernel allows."""
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])


def copy_all(source: int, target: int) -> None:
    """Copy what is left in the descriptor *source* to *target*, inside the kernel if it can."""
    try:
        while os.copy_file_range(source, target, _COPY_BYTES):
            pass
    except OSError as error:
        if error.errno not in _NO_RANGE_COPY:
            raise
    while data := os.read(source, _READ_BYTES):
        write_all(target, data)


@contextmanager
def _unfinished(target: str, fill: Callable[[int], None]) -> Iterator[str]:
    """Give the temporary name of a complete file beside *target*; the name is gone afterwards."""
    directory = os.path.dirname(target)
    temporary = f"{directory}/{TEMPORARY_PREFIX}{os.getpid()}-{os.urandom(8).hex()}"
    descriptor = _with_parents(temporary, lambda: os.open(temporary, _NEW, 0o666))
    try:
        try:
            _copy_permissions(target, descriptor)
            fill(descriptor)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield temporary
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)


def _make_parents(path: str) -> None:
    parent = os.path.dirname(path)
    try:
        make_dirs(parent)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), parent) from error


def _make_dir(path: str) -> None:
    try:
        os.mkdir(path)
    except FileNotFoundError:
        raise
    except OSError:
        if not os.path.isdir(path):
            raise
    else:
        sync_dir(os.path.dirname(path))


def _copy_permissions(path: str, descriptor: int) -> None:
    try:
        os.fchmod(descriptor, S_IMODE(os.stat(path).st_mode))
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in _NO_PERMISSIONS:
            raise


def _with_parents(path: str, make: Callable[[], _R]) -> _R:
    try:
        return make()
    except FileNotFoundError:
        _make_parents(path)
        return make()


def _name_if_free(source: str, target: str) -> bool:
    """Give the file *source* the name *target* as well, or instead; `False` if it is taken."""
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return _claim_and_replace(source, target)
    return True


def _claim_and_replace(source: str, target: str) -> bool:
    try:
        os.close(os.open(target, _NEW, 0o666))
    except FileExistsError:
        return False
    try:
        os.replace(source, target)
    except BaseException:
        os.unlink(target)
        raise
    return True


@functools.cache
def _renameat2_of_libc() -> "Callable[..., int] | None":
    import ctypes

    return getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)


def _renameat2(source: str, target: str, flag: int) -> bool:
    """Rename as *flag* says, in one system call; `False` where there is no such call.

    Source:
        renameat2(2): Linux 3.15, glibc 2.28; a file system may lack either flag.
    """
    import ctypes

    rename = _renameat2_of_libc()
    if rename is None:
        return False
    old, new = os.fsencode(source), os.fsencode(target)
    if rename(_AT_FDCWD, old, _AT_FDCWD, new, ctypes.c_uint(flag)) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NOT_OFFERED:
        return False
    raise OSError(number, os.strerror(number), source, None, target)


def _move_dir(source: str, target: str) -> None:
    """Rename a directory; of what another process makes meanwhile, only an empty one is lost."""
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
    os.rename(source, target)


def _move_file(source: str, target: str) -> None:
    """Rename a file by way of a second name: a crash may leave both, never none."""
    if not _name_if_free(source, target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
    with suppress(FileNotFoundError):
        os.unlink(source)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True
