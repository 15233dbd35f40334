"""What the current project is called and where it is, under the old names."""

# ruff: noqa: FBT001, FBT002 - positional flags, as in the old library whose calls must work

from hops.hdfs.paths import AnyPath, locate, root_of, without_address
from hops.project import current


def project_path(project: str | None = None, exclude_nn_addr: bool = False) -> str:
    """Return the root of a project, with a slash at the end so that a name can be appended.

    Args:
        project: Name of another project; the current one if `None`. It need not exist.
        exclude_nn_addr: Leave the name node's address out of a URL. A local directory has none.

    Returns:
        On a laptop `/home/ada/hops/demo/`, on a cluster `hopsfs://<name node>/Projects/demo/`.

    Raises:
        PathError: *project* cannot be the name of a project.
    """
    root = f"{root_of(project)}/"
    return without_address(root) if exclude_nn_addr else root


def project_name() -> str:
    """Return the name of the current project."""
    return current().name


def project_id() -> str:
    """Return the number of the current project as a string; `"0"` on a laptop."""
    return current().id


def project_user() -> str:
    """Return who works in the current project: `<project>__<login>`."""
    return current().user


def abs_path(hdfs_path: AnyPath) -> str:
    """Return the full form of a path that exists, as `ls` would show it.

    Raises:
        PathNotFoundError: Nothing is there.
    """
    return locate(hdfs_path).existing().full


def get_plain_path(abs_path: str) -> str:
    """Return a full path without scheme and address: `/Projects/demo/Resources/iris.csv`.

    A path that has neither, as on a laptop, is returned as it is.
    """
    scheme, separator, rest = abs_path.partition("://")
    return f"/{rest.partition('/')[2]}" if separator and scheme else abs_path
