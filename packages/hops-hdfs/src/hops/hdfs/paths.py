"""Where a path of a program is: the rules that the old library had, on every platform.

========================================  ====================================================
a path                                    is
========================================  ====================================================
`Resources/a.csv`, `/Resources/a.csv`     below the root of the project
what `project_path` and `ls` return       itself
`/Projects/<project>/a.csv`               below the root of that project
`hdfs://<any>/Projects/<project>/a.csv`   the same, and so with `hopsfs://`
any other `scheme://`                     an error
========================================  ====================================================

`..` may not leave the project. Nothing in a path is decoded: `a%20b` is a name with a `%`.
"""

import os
import re
from pathlib import PurePath
from typing import NamedTuple

from hops.core import environment
from hops.core.errors import SettingsError
from hops.hdfs.atomic import TEMPORARY_PREFIX
from hops.hdfs.errors import PathError, PathNotFoundError
from hops.hdfs.store import Store, normalise, store_at
from hops.project import current
from hops.project.choice import PROJECTS, find_root

AnyPath = str | bytes | os.PathLike[str]
"""What a path argument may be; bytes are decoded as file names are."""

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")  # RFC 3986, section 3.1
_SCHEMES = ("hdfs", "hopsfs")
_CLUSTER_PROJECTS = "/Projects"


class Place(NamedTuple):
    """One path in one project."""

    root: str
    """Of the project: an absolute directory, or a URL; no slash at the end."""
    path: str
    """Relative to the root, normalised; empty for the root itself."""

    @property
    def store(self) -> Store:
        """The files of the project."""
        return store_at(self.root)

    @property
    def full(self) -> str:
        """The path as a user sees it."""
        return f"{self.root}/{self.path}" if self.path else self.root

    def existing(self) -> "Place":
        """Return the same place.

        Raises:
            PathNotFoundError: Nothing is there.
        """
        if not self.store.exists(self.path):
            message = f"{self.path!r} does not exist (in {self.root})."
            raise PathNotFoundError(message)
        return self


def locate(path: AnyPath, project: str | None = None) -> Place:
    """Find the project and the place in it that *path* means.

    Args:
        path: As in the table above.
        project: Name of the project that a relative path belongs to; the current one if `None`.

    Raises:
        PathError: It is in no project.
    """
    here = current()
    text = os.fsdecode(path)
    plain = _after_authority(text)
    if _is_below(plain, here.root):
        return _place(here.root, plain[len(here.root) :])
    if _is_below(plain, _CLUSTER_PROJECTS):
        return _place(*_split(plain, _CLUSTER_PROJECTS))
    if plain != text:
        message = f"{text!r} is in no project: hdfs://.../Projects/<project>/... was expected."
        raise PathError(message)
    return _in_other_project(plain) or _place(root_of(project) if project else here.root, plain)


def root_of(project: str | None) -> str:
    """Return the root of the project of this name, of the current one if `None` or empty.

    On a laptop it is in `~/hops`, unless the environment gives this very project another directory.

    Raises:
        PathError: This cannot be the name of a project.
    """
    here = current()
    if not project or project == here.name:
        return here.root
    if "://" in here.root:
        return f"{here.root.rpartition('/')[0]}/{project}"
    try:
        return find_root(project)
    except SettingsError as error:
        message = f"{project!r} cannot be the name of a project."
        raise PathError(message) from error


def without_address(path: str) -> str:
    """Leave the name node's address out of a URL; any other path stays as it is.

    Example:
        >>> without_address("hopsfs://10.0.2.15:8020/Projects/demo/")
        'hopsfs:///Projects/demo/'
    """
    scheme, separator, rest = path.partition("://")
    return f"{scheme}:///{rest.partition('/')[2]}" if separator else path


def _place(root: str, path: str) -> Place:
    plain = normalise(path)
    if TEMPORARY_PREFIX in plain:
        message = f"{path!r} is refused: names with {TEMPORARY_PREFIX!r} are for unfinished files."
        raise PathError(message)
    return Place(root, plain)


def _after_authority(text: str) -> str:
    """Return the path of an HDFS URL, and any other path as it is."""
    scheme, separator, rest = text.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        return text
    if scheme.lower() not in _SCHEMES:
        message = f"{text!r} cannot be a path in a project: hdfs:// or hopsfs:// was expected."
        raise PathError(message)
    return f"/{rest.partition('/')[2]}"


def _is_below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory}/")


def _split(path: str, projects: str) -> tuple[str, str]:
    """Split a path below the directory of all projects: the root of one, and the rest."""
    name, _, rest = path[len(projects) :].lstrip("/").partition("/")
    if not name:
        message = f"{path!r} holds the projects and is in none: {projects}/<project> was expected."
        raise PathError(message)
    return root_of(name), rest


def _in_other_project(path: str) -> Place | None:
    """Find the project of what `project_path(other)` gave, on a laptop."""
    if not path.startswith("/"):
        return None
    projects = str(PurePath(os.path.expanduser(PROJECTS)))  # noqa: PTH111 - pathlib raises without a home
    if _is_below(path, projects):
        return _place(*_split(path, projects))
    owner = os.environ.get(environment.HOPSWORKS_PROJECT_NAME)
    root = root_of(owner)
    return _place(root, path[len(root) :]) if _is_below(path, root) else None
