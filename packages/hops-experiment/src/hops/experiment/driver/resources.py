"""The versioned resources of a run: files of the project that it keeps a copy of."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hops.core import SettingsError

if TYPE_CHECKING:
    from hops.hdfs.paths import Place


def find_resources(paths: Sequence[str] | None) -> tuple["Place", ...]:
    """Return where *paths* are, by the path rules of `hops.hdfs`.

    Raises:
        PathNotFoundError: One does not exist.
        PathError: One is a directory.
        SettingsError: They are not a list of paths.
    """
    if isinstance(paths, str | bytes):
        message = f"versioned_resources is {paths!r}; expected a list of paths."
        raise SettingsError(message, hint=f"versioned_resources=[{paths!r}]")
    if not paths:
        return ()
    from hops.hdfs.errors import PathError
    from hops.hdfs.paths import locate

    places = tuple(locate(path).existing() for path in paths)
    for place in places:
        if place.store.is_dir(place.path):
            message = f"The versioned resource {place.path!r} is a directory; expected a file."
            raise PathError(message)
    return places
