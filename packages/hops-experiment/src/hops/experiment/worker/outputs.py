"""The outputs contract: what becomes of the value that the user's function returns.

Nothing of the user's is deleted and nothing is refused: a returned file is copied beside the
outputs, and what JSON cannot hold is kept as a pickle.
"""

import functools
import os
import reprlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from hops.experiment import record

ARRAY_ITEMS = 10_000
"""Largest array that is written into `.outputs.json` as a list; a larger one is pickled."""


class Keeper:
    """Keeps one returned value in the trial's directory."""

    def __init__(
        self, directory: Path, kept_as: str, work: Path, store_url: str, taken: Collection[str] = ()
    ) -> None:
        """Prepare to keep the outputs of one trial.

        Args:
            directory: Where the attempt writes, on this machine.
            kept_as: Where its files will be in the end, relative to the project.
            work: The trial's working directory; files in it are moved, files elsewhere copied.
            store_url: The project, for returned paths such as `Experiments/...`.
            taken: Names that no file may get.
        """
        self._given = directory, work
        self._kept_as = kept_as
        self._store_url = store_url
        self._taken = taken
        self._kept_at: dict[Path, Path] = {}

    @functools.cached_property
    def _directory(self) -> Path:
        return self._given[0].resolve()

    @functools.cached_property
    def _work(self) -> Path:
        return self._given[1].resolve()

    def keep(self, value: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever the user returns
        """Keep *value*, and return what `.outputs.json` holds.

        A mapping is kept name by name, anything else under the name `metric`. `log` names the
        trial's log, unless the function returned something under that name.
        """
        named = value if isinstance(value, Mapping) else {"metric": value}
        outputs = {str(name): self._kept(str(name), item) for name, item in named.items()}
        outputs.setdefault("log", f"{self._kept_as}/{record.LOG_FILE}")
        return outputs

    def _kept(self, name: str, value: Any) -> Any:  # noqa: ANN401 - whatever the user returns
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, str | os.PathLike):
            return self._path(os.fspath(value))
        number = record.scalar(value)
        if number is not None:
            return number
        try:
            return record.loads(record.dumps(_listed(value)))
        except (TypeError, ValueError, RecursionError):
            return self._pickled(name, value)

    def _path(self, text: str | bytes) -> str:
        path = os.fsdecode(text)
        found = self._found(path)
        if found is None:
            return self._copied_in_project(path) or path
        if found.is_relative_to(self._directory) and not found.is_relative_to(self._work):
            return f"{self._kept_as}/{found.relative_to(self._directory).as_posix()}"
        target = self._kept_at[found] = self._free(found.name)
        if found.is_relative_to(self._work):
            found.rename(target)  # the trial is over, and its working directory is ours
        else:
            _copy(found, target)
        _sync(target)
        return f"{self._kept_as}/{target.name}"

    def _found(self, path: str) -> Path | None:
        """Return the file that *path* names; a directory only below the trial's own."""
        try:
            found = self._now_at((self._work / path).resolve())
            if found.is_file() and os.access(found, os.R_OK):
                return found
            below = found.is_relative_to(self._directory) and found != self._work
            return found if below and found != self._directory and found.is_dir() else None
        except (OSError, ValueError):  # a text that cannot be a path: too long, a null byte
            return None

    def _now_at(self, path: Path) -> Path:
        """Return where *path* is by now: it, or its directory, was returned before."""
        for source, target in self._kept_at.items():
            if path.is_relative_to(source):
                return target / path.relative_to(source)
        return path

    def _copied_in_project(self, path: str) -> str | None:
        if not path.startswith(f"{record.EXPERIMENTS}/") or ".." in path.split("/"):
            return None
        from hops.hdfs.store import open_store

        store = open_store(self._store_url)
        if not store.exists(path) or store.is_dir(path):
            return None
        target = self._free(path.rsplit("/", 1)[-1])
        store.fetch_file(path, target)
        return f"{self._kept_as}/{target.name}"

    def _free(self, name: str) -> Path:
        return free_path(self._directory, name, self._taken)

    def _pickled(self, name: str, value: Any) -> str:  # noqa: ANN401 - whatever the user returns
        import cloudpickle

        try:
            data = cloudpickle.dumps(value)
        except Exception as error:  # noqa: BLE001 - any object's own refusal; the trial is not to fail
            return f"{reprlib.repr(value)} (not kept: {type(error).__name__}: {error})"
        target = self._free(f"{record.trial_name({name: ''})[:-1]}.pkl")
        write_durably(target, data)
        return f"{self._kept_as}/{target.name}"


def free_path(directory: Path, name: str, taken: Collection[str] = ()) -> Path:
    """Return a path in a trial's *directory* that nothing uses: *name*, or one like it."""
    stem, dot, suffix = name.partition(".")
    candidate, count = name, 0
    while (
        candidate in record.RESERVED or candidate in taken or os.path.lexists(directory / candidate)
    ):
        count += 1
        candidate = f"{stem}_{count}{dot}{suffix}"
    return directory / candidate


def write_durably(path: Path, data: bytes) -> None:
    """Write a file and wait until it is on the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def sync_directory(path: Path) -> None:
    """Wait until the names in a directory are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _copy(source: Path, target: Path) -> None:
    import shutil

    shutil.copyfile(source, target)


def _sync(path: Path) -> None:
    """Wait until a file, or all files of a directory, are on the disk."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    for name in files:
        with name.open("rb") as file:
            os.fsync(file.fileno())


def _listed(value: Any) -> Any:  # noqa: ANN401 - any value
    """Replace numpy's numbers and small arrays, and tensors alike, by numbers and lists."""
    if isinstance(value, Mapping):
        return {key: _listed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_listed(item) for item in value]
    number = record.scalar(value)
    if number is not None:
        return number
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
        return value.tolist() if value.size <= ARRAY_ITEMS else value
    return value
