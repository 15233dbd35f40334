"""What every store has to do, as tests to inherit.

A backend proves itself by a test class of its own::

    class TestLocalStore(StoreConformance):
        @pytest.fixture
        def store(self, tmp_path: Path) -> Store:
            return LocalStore(f"{tmp_path}/project")

This module needs pytest, and is the only one here that does.
"""

# ruff: noqa: S101, S301, PLR2004 - these are tests: they assert, pickle and know their numbers

import pickle
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import TypeVar

import pytest

from hops.core.errors import HopsError
from hops.hdfs.atomic import TEMPORARY_PREFIX
from hops.hdfs.errors import (
    DirectoryNotEmptyError,
    PathError,
    PathExistsError,
    PathIsDirectoryError,
    PathNotDirectoryError,
    PathNotFoundError,
)
from hops.hdfs.store import Store, open_store

_R = TypeVar("_R")
_NASTY_NAMES = [
    "with space",
    "100%",
    "a%20b",
    "a#b",
    "a?b;c&d=e+f",
    "*[x]{y}",
    "back\\slash",
    "quote'\"",
    "new\nline",
    "...",
    "-rf",
    "naïve Ünïcödé 数据 🦛",
    "e\u0301",  # not the same name as the composed letter
    "n" * 255,
]


def at_once(calls: int, call: Callable[[int], _R]) -> list[_R]:
    """Run `call(0)`, `call(1)`, ... in as many threads, started together."""
    barrier = Barrier(calls)

    def started(index: int) -> _R:
        barrier.wait()
        return call(index)

    with ThreadPoolExecutor(calls) as threads:
        return list(threads.map(started, range(calls)))


def writes(store: Store) -> list[Callable[[str], object]]:
    """Return every way to make a file or a directory at a path."""
    return [
        store.mkdir,
        store.create_dir,
        lambda path: store.publish(path, b"y"),
        lambda path: store.publish_file(path, __file__),
        lambda path: store.put_if_absent(path, b"y"),
        lambda path: store.rename("file", path),
    ]


class StoreConformance:
    """The tests of one store; a subclass overrides the fixture `store`."""

    can_append = True
    """Whether the store has `append`; if not, it must raise `NotImplementedError`."""

    @pytest.fixture
    def store(self) -> Store:
        """Return an empty store, a new one for each test."""
        raise NotImplementedError

    # Files

    @pytest.mark.parametrize("data", [b"", b"text\n", bytes(range(256)) * 5000])
    def test_read_gives_what_was_published(self, store: Store, data: bytes) -> None:
        """Every byte comes back, from an empty file to one of a megabyte."""
        store.publish("file", data)
        assert store.read("file") == data

    def test_publish(self, store: Store) -> None:
        """Parents are made, and a shorter new content leaves nothing of the older one."""
        store.publish("a/b/file", b"a long old content")
        store.publish("a/b/file", b"new")
        assert store.read("a/b/file") == b"new"

    @pytest.mark.parametrize("name", _NASTY_NAMES)
    def test_names_are_taken_literally(self, store: Store, name: str) -> None:
        """No character of a name is special, nothing in it is encoded or decoded."""
        store.publish(f"dir/{name}", b"x")
        assert [entry.name for entry in store.list("dir")] == [name]
        assert store.read(f"dir/{name}") == b"x"

    @pytest.mark.parametrize("name", ["n" * 256, "null\0byte"])
    def test_names_that_cannot_be(self, store: Store, name: str) -> None:
        """A name that is too long, or has a null byte, is an error of ours."""
        for use in (*writes(store), store.read, store.list, store.remove):
            store.publish("file", b"x")
            with pytest.raises(PathError):
                use(f"dir/{name}")

    def test_spellings_of_one_path(self, store: Store) -> None:
        """Leading, trailing and double slashes, and dots, do not matter."""
        store.publish("/a//./b/../file", b"x")
        assert store.read("a/file/") == b"x"

    def test_nothing_there(self, store: Store) -> None:
        """What is not there is neither read, listed nor removed; the error names the path."""
        for use in (store.read, store.list, store.remove, partial(store.remove, recursive=True)):
            with pytest.raises(PathNotFoundError, match="'a/missing'"):
                use("a/missing")

    def test_directory_as_file(self, store: Store) -> None:
        """A directory is neither read, nor replaced by a file."""
        store.publish("dir/file", b"x")
        for use in (store.read, lambda path: store.publish(path, b"y")):
            with pytest.raises(PathIsDirectoryError):
                use("dir")
        assert store.read("dir/file") == b"x"

    def test_file_as_directory(self, store: Store) -> None:
        """Nothing can be below a file."""
        store.publish("file", b"x")
        store.publish("parent", b"x")
        for use in (*writes(store), store.read, store.list):
            with pytest.raises(PathNotDirectoryError):
                use("parent/below")
        with pytest.raises(PathNotDirectoryError):
            store.list("parent")
        assert not store.exists("parent/below")
        assert store.read("file") == store.read("parent") == b"x"

    def test_append(self, store: Store) -> None:
        """Data goes to the end of a file in one piece, also from many at once."""
        if not self.can_append:
            with pytest.raises(NotImplementedError):
                store.append("a/log", b"one\n")
            return
        lines = [b"%d" % index * 9000 + b"\n" for index in range(8)]
        at_once(8, lambda index: store.append("a/log", lines[index]))
        store.append("a/log", b"last\n")
        assert sorted(store.read("a/log").splitlines(keepends=True)) == [*lines, b"last\n"]
        assert store.read("a/log").endswith(b"\nlast\n")

    # Local files

    def test_files_go_in_and_out(self, store: Store, tmp_path: Path) -> None:
        """A local file goes in and comes back the same, replacing what is there."""
        data = bytes(range(256)) * 5000
        (tmp_path / "local").write_bytes(data)
        (tmp_path / "back").write_bytes(b"older" * 500_000)
        store.publish("a/file", b"older" * 500_000)
        store.publish_file("a/file", tmp_path / "local")
        store.fetch_file("a/file", tmp_path / "back")
        assert store.read("a/file") == (tmp_path / "back").read_bytes() == data
        local = store.local_path("a/file")
        assert local is None or local.read_bytes() == data

    def test_missing_sources(self, store: Store, tmp_path: Path) -> None:
        """What a copy should replace stays, if the file to be copied is missing."""
        store.publish("file", b"old")
        with pytest.raises(FileNotFoundError, match="no-such"):
            store.publish_file("file", tmp_path / "no-such")
        (tmp_path / "local").write_bytes(b"old")
        with pytest.raises(PathNotFoundError, match="'missing'"):
            store.fetch_file("missing", tmp_path / "local")
        assert store.read("file") == (tmp_path / "local").read_bytes() == b"old"

    # Directories

    def test_the_root_is_always_there(self, store: Store) -> None:
        """An empty store has a root directory that can be listed."""
        for root in ("", ".", "/"):
            assert store.exists(root)
            assert store.is_dir(root)
            assert store.list(root) == []

    def test_exists_and_is_dir(self, store: Store) -> None:
        """Files and directories exist, and only directories are directories."""
        store.publish("dir/file", b"x")
        paths = ["dir", "dir/file", "dir/missing", "missing/file"]
        assert [store.exists(path) for path in paths] == [True, True, False, False]
        assert [store.is_dir(path) for path in paths] == [True, False, False, False]

    def test_list(self, store: Store) -> None:
        """A listing is of one level, sorted by name, with kind, size and time of each entry."""
        store.publish("dir/b", b"12345")
        store.publish("dir/B", b"")
        store.publish("dir/a/below", b"")
        found = store.list("dir")
        assert [entry.name for entry in found] == ["B", "a", "b"]
        assert [entry.is_dir for entry in found] == [False, True, False]
        assert found[2].size_bytes == 5
        assert all(abs(entry.modified - time.time()) < 3600 for entry in found)

    def test_unfinished_files_are_not_listed(self, store: Store) -> None:
        """What a killed writer left is not shown, and a directory with only that is empty."""
        store.publish(f"dir/{TEMPORARY_PREFIX}1-abc", b"half")
        assert store.list("dir") == []
        store.remove("dir")
        assert not store.exists("dir")

    def test_mkdir(self, store: Store) -> None:
        """Parents are made, a second time nothing happens, and a file is not taken for it."""
        store.mkdir("a/b/c")
        store.publish("a/b/c/file", b"x")
        store.mkdir("a/b/c")
        with pytest.raises(PathExistsError):
            store.mkdir("a/b/c/file")
        assert store.read("a/b/c/file") == b"x"

    # Claims

    def test_create_dir(self, store: Store) -> None:
        """Only the first caller made the directory, if nothing had the name; parents are made."""
        assert store.create_dir("a/run_1")
        assert not store.create_dir("a/run_1")
        assert store.is_dir("a/run_1")
        store.publish("a/file", b"x")
        assert not store.create_dir("a/file")

    def test_put_if_absent(self, store: Store) -> None:
        """Only the first caller wrote the file; parents are made."""
        assert store.put_if_absent("a/file", b"first")
        assert not store.put_if_absent("a/file", b"second")
        assert store.read("a/file") == b"first"
        assert len(store.list("a")) == 1

    def test_one_of_many_makes_the_directory(self, store: Store) -> None:
        """Of many callers at once, exactly one is told that it made the directory."""
        for attempt in range(10):
            # mypy cannot infer a lambda with a default.
            made = at_once(8, lambda _, n=attempt: store.create_dir(f"a/{n}/run"))  # type: ignore[misc]
            assert sum(made) == 1

    def test_one_of_many_writes_the_file(self, store: Store) -> None:
        """Of many callers at once, exactly one is told that it wrote, and its content is there."""
        for attempt in range(10):
            path = f"a/{attempt}/file"
            # As above.
            won = at_once(8, lambda n, path=path: store.put_if_absent(path, b"%d" % n))  # type: ignore[misc]
            assert sum(won) == 1
            assert store.read(path) == b"%d" % won.index(True)

    def test_readers_see_whole_files(self, store: Store) -> None:
        """Who reads while others publish sees one of the contents, whole."""
        contents = [bytes([letter]) * 100_000 for letter in b"abcd"]
        store.publish("file", contents[0])

        def work(index: int) -> bool:
            if index < 2:
                for content in contents * 5:
                    store.publish("file", content)
            return all(store.read("file") in contents for _ in range(20))

        assert all(at_once(4, work))

    # Rename

    @pytest.mark.parametrize("path", ["a", "a/sub", "a/sub/file"])
    def test_rename(self, store: Store, path: str) -> None:
        """A file or a directory moves with all that it holds; parents of its new name are made."""
        store.publish("a/sub/file", b"x")
        store.rename(path, "b/c/moved")
        assert store.read("b/c/moved" + "a/sub/file".removeprefix(path)) == b"x"
        assert not store.exists(path)

    @pytest.mark.parametrize("source", ["file", "dir"])
    @pytest.mark.parametrize("target", ["other", "empty", "full"])
    def test_rename_never_replaces(self, store: Store, source: str, target: str) -> None:
        """A name that is taken stays with what has it, be that a file or a directory."""
        store.publish("file", b"source")
        store.publish("dir/file", b"source")
        store.publish("other", b"target")
        store.mkdir("empty")
        store.publish("full/file", b"target")
        before = [store.list(path) for path in ("", "empty", "full")]
        with pytest.raises(PathExistsError):
            store.rename(source, target)
        assert [store.list(path) for path in ("", "empty", "full")] == before

    def test_rename_of_nothing(self, store: Store) -> None:
        """What is not there cannot be renamed, and no directory is made for it."""
        with pytest.raises(PathNotFoundError, match="'missing'"):
            store.rename("missing", "a/b")
        assert not store.exists("a")

    def test_rename_into_itself(self, store: Store) -> None:
        """A directory cannot move to below itself."""
        store.mkdir("dir")
        with pytest.raises(PathError):
            store.rename("dir", "dir/sub/dir")
        assert store.list("dir") == []

    def test_one_of_many_renames(self, store: Store) -> None:
        """Of many that rename different files to one name, one succeeds and no file is lost."""
        for index in range(8):
            store.publish(f"source/{index}", b"%d" % index)

        def rename(index: int) -> bool:
            try:
                store.rename(f"source/{index}", "target/file")
            except PathExistsError:
                return False
            return True

        won = at_once(8, rename)
        assert sum(won) == 1
        assert store.read("target/file") == b"%d" % won.index(True)
        assert len(store.list("source")) == 7

    # Remove

    def test_remove(self, store: Store) -> None:
        """A file or an empty directory goes; a full one only when asked for in so many words."""
        store.publish("dir/sub/file", b"x")
        store.publish("dir/other", b"x")
        store.remove("dir/other")
        with pytest.raises(DirectoryNotEmptyError, match="recursive=True"):
            store.remove("dir")
        assert store.read("dir/sub/file") == b"x"
        store.remove("dir", recursive=True)
        assert not store.exists("dir")
        store.mkdir("empty")
        store.remove("empty")
        assert not store.exists("empty")

    # The project's limits

    @pytest.mark.parametrize("path", ["", ".", "/", "a/.."])
    def test_the_root_stays(self, store: Store, path: str) -> None:
        """The root is neither removed, renamed, replaced nor claimed."""
        store.publish("file", b"x")
        store.mkdir(path)
        changes = [use for use in writes(store) if use != store.mkdir]
        changes.append(lambda path: store.remove(path, recursive=True))
        changes.append(lambda path: store.rename(path, "new"))
        for use in changes:
            with pytest.raises(PathError):
                use(path)
        assert store.read("file") == b"x"

    @pytest.mark.parametrize("path", ["..", "../file", "a/../../file", "/../file"])
    def test_no_path_leaves_the_project(self, store: Store, path: str, tmp_path: Path) -> None:
        """Two dots lead out of no store, whatever is done."""
        store.publish("file", b"x")
        uses: list[Callable[[str], object]] = [
            *writes(store),
            store.read,
            store.exists,
            store.is_dir,
            store.list,
            store.remove,
            store.local_path,
            lambda path: store.fetch_file(path, tmp_path / "back"),
            lambda path: store.rename(path, "new"),
        ]
        for use in uses:
            with pytest.raises(PathError, match="leaves the project"):
                use(path)

    # The store as a value

    def test_copies_of_a_store(self, store: Store) -> None:
        """Another process opens the same files by the URL, or by the pickled store."""
        store.publish("file", b"x")
        copy: Store = pickle.loads(pickle.dumps(store))
        assert copy.read("file") == open_store(store.url).read("file") == b"x"

    def test_errors_are_ours_and_survive_pickling(self, store: Store) -> None:
        """An error is a `HopsError` and an `OSError`, here and in another process."""
        with pytest.raises(PathNotFoundError) as caught:
            store.read("missing")
        error = pickle.loads(pickle.dumps(caught.value))
        assert isinstance(error, HopsError)
        assert isinstance(error, FileNotFoundError)
        assert (str(error), error.errno) == (str(caught.value), caught.value.errno)
