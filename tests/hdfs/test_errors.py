import errno
import inspect
import os
from types import ModuleType

import pytest

from hops.core import HopsError
from hops.hdfs import errors
from hops.hdfs.errors import StoreFullError, StoreNotWritableError, translate


def classes(module: ModuleType) -> list[type[HopsError]]:
    """Return the errors that *module* defines."""
    found = [value for value in vars(module).values() if inspect.isclass(value)]
    return [kind for kind in found if issubclass(kind, HopsError) and kind is not HopsError]


@pytest.mark.parametrize("kind", classes(errors))
def test_every_error(kind: type[HopsError]) -> None:
    """Each is an `OSError` with a number, which its message does not show."""
    error = kind("'a' is wrong.", hint="do something")
    assert isinstance(error, OSError)
    assert error.errno is not None
    assert str(error) == "'a' is wrong.\n\nHint: do something"


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOENT, errors.PathNotFoundError),
        (errno.EEXIST, errors.PathExistsError),
        (errno.EISDIR, errors.PathIsDirectoryError),
        (errno.ENOTDIR, errors.PathNotDirectoryError),
        (errno.ENOTEMPTY, errors.DirectoryNotEmptyError),
        (errno.ENAMETOOLONG, errors.PathError),
        (errno.ELOOP, errors.PathError),
        (errno.ENOSPC, StoreFullError),
        (errno.EDQUOT, StoreFullError),
        (errno.EFBIG, StoreFullError),
        (errno.EACCES, StoreNotWritableError),
        (errno.EPERM, StoreNotWritableError),
        (errno.EROFS, StoreNotWritableError),
    ],
)
def test_translation(number: int, kind: type[HopsError]) -> None:
    """Each number that a caller can do something about has a class, and names path and store."""
    original = OSError(number, os.strerror(number))
    error = translate(original, "a/b", "file:///root", writing=True)
    assert type(error) is kind
    assert "'a/b'" in str(error)
    assert "file:///root" in str(error)


def test_what_stays_as_it_is() -> None:
    """A broken disk, and an error of ours, are passed on."""
    for error in (OSError(errno.EIO, "broken"), errors.PathError("ours")):
        assert translate(error, "a", "file:///root", writing=True) is error
