"""The project's files, on a laptop directory or on HopsFS.

The functions take paths as old hops-util-py programs write them, see `hops.hdfs.paths`. Beside them
stands `Store` (`current_store()`), the files of one project as an object; a new place to keep files
is one more class with its methods.
"""

from hops.hdfs.errors import (
    DirectoryNotEmptyError,
    PathError,
    PathExistsError,
    PathIsDirectoryError,
    PathNotDirectoryError,
    PathNotFoundError,
    StoreFullError,
    StoreNotWritableError,
)
from hops.hdfs.files import delete, dump, exists, isdir, isfile, load, ls, mkdir, rmr
from hops.hdfs.logfile import log
from hops.hdfs.naming import (
    abs_path,
    get_plain_path,
    project_id,
    project_name,
    project_path,
    project_user,
)
from hops.hdfs.store import Entry, Store, current_store, open_store
from hops.hdfs.transfer import copy_to_hdfs, copy_to_local, cp, localize, move, rename

__all__ = [
    "DirectoryNotEmptyError",
    "Entry",
    "PathError",
    "PathExistsError",
    "PathIsDirectoryError",
    "PathNotDirectoryError",
    "PathNotFoundError",
    "Store",
    "StoreFullError",
    "StoreNotWritableError",
    "abs_path",
    "copy_to_hdfs",
    "copy_to_local",
    "cp",
    "current_store",
    "delete",
    "dump",
    "exists",
    "get_plain_path",
    "isdir",
    "isfile",
    "load",
    "localize",
    "log",
    "ls",
    "mkdir",
    "move",
    "open_store",
    "project_id",
    "project_name",
    "project_path",
    "project_user",
    "rename",
    "rmr",
]
