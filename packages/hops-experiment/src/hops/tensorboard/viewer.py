"""A TensorBoard over what is in the project already."""

import os
from typing import TYPE_CHECKING, Self

from hops.core.errors import HopsError, MissingDependencyError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hops.hdfs.paths import Place

_START_S = 120.0  # it imports TensorFlow where that is installed, slowly on a busy machine
_INSTALL = "pip install 'hops-experiment[tensorboard]'"
_EVENT_FILE = "tfevents"  # TensorBoard reads the files with this in their names, and no others


class TensorBoardError(HopsError, RuntimeError):
    """TensorBoard did not start."""


class TensorBoardUrl(str):
    """Where a TensorBoard can be reached; it runs until `stop`, or until the program ends."""

    __slots__ = ("_end",)

    _end: "Callable[[], None]"

    def __new__(cls, url: str, end: "Callable[[], None]") -> Self:
        """Wrap *url*; *end* ends the TensorBoard behind it."""
        self = super().__new__(cls, url)
        self._end = end
        return self

    def stop(self) -> None:
        """End the TensorBoard; a second call does nothing."""
        self._end()

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        """Travel to other processes as plain text: they have no TensorBoard to end."""
        return str, (str(self),)


def visualize(path: str | os.PathLike[str]) -> TensorBoardUrl:
    """Start a TensorBoard over a finished run, or over all that is below a directory.

    It is a process of its own that listens on 127.0.0.1, below a path that nobody can guess. It
    ends with `stop()` of the result; without that with this program, however the program ends.

    Args:
        path: Of the run, in the project: `Experiments/<run id>`, or as `experiment.launch` gave it.
            Where the project's files are not local, the event files are copied first.

    Returns:
        The address, which is printed as well: it opens in a browser on this machine.

    Raises:
        MissingDependencyError: TensorBoard is not installed.
        PathNotFoundError: Nothing is at *path*.
        PathNotDirectoryError: A file is at *path*.
        TensorBoardError: TensorBoard did not start.
    """
    import atexit
    import sys

    from hops.experiment.driver.view.hparams import is_installed
    from hops.experiment.driver.view.tensorboard import TensorBoard
    from hops.hdfs.errors import PathNotDirectoryError
    from hops.hdfs.paths import locate

    place = locate(path).existing()
    if not place.store.is_dir(place.path):
        message = f"{place.path!r} is a file (in {place.root}); the directory of a run is expected."
        raise PathNotDirectoryError(message)
    if not is_installed():
        message = "The package 'tensorboard' is needed here and is not installed."
        raise MissingDependencyError(message, hint=_INSTALL)
    directory, remove = _local(place)
    server = TensorBoard()

    def end() -> None:
        server.stop()
        remove()
        atexit.unregister(end)

    atexit.register(end)  # also keeps the process alive when the caller drops the result
    server.start(directory)
    url = server.wait(_START_S)
    if url is None:
        problem = server.problem() or f"TensorBoard gave no address within {_START_S:.0f} s."
        end()
        raise TensorBoardError(problem)
    sys.stdout.write(f"TensorBoard: {url}\n")
    return TensorBoardUrl(url, end)


def _local(place: "Place") -> "tuple[Path, Callable[[], None]]":
    """Return where TensorBoard can read what is at *place*, and what removes a copy again."""
    local = place.store.local_path(place.path)
    if local is not None:
        return local, lambda: None
    import shutil
    import tempfile
    from functools import partial
    from pathlib import Path

    copy = Path(tempfile.mkdtemp(prefix="hops-tensorboard-"))
    remove = partial(shutil.rmtree, copy, ignore_errors=True)
    try:
        _copy_events(place, copy)
    except BaseException:
        remove()
        raise
    return copy, remove


def _copy_events(place: "Place", target: "Path") -> None:
    from hops.hdfs.walk import walk

    for path, entry in walk(place.store, place.path):
        if not entry.is_dir and _EVENT_FILE in entry.name:
            local = target / path.removeprefix(place.path).lstrip("/")
            local.parent.mkdir(parents=True, exist_ok=True)
            place.store.fetch_file(path, local)
