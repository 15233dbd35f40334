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

    def test_publish_replaces(self, store: Store) -> None:
        """A shorter new content leaves nothing of the older one."""
        store.publish("file", b"a long old content")
        store.publish("file", b"new")
        assert store.read("file") == b"new"

    def test_publish_makes_parents(self, store: Store) -> None:
        """The directories above a new file need not exist."""
        store.publish("a/b/c/file", b"x")
        assert store.is_dir("a/b/c")

    @pytest.mark.parametrize("name", _NASTY_NAMES)
    def test_names_are_taken_literally(self, store: Store, name: str) -> None:
        """No character of a name is special, nothing in it is encoded or decoded."""
        store.publish(f"dir/{name}", b"x")
        assert [entry.name for entry in store.list("dir")] == [name]
        assert store.read(f"dir/{name}") == b"x"

    def test_names_are_not_normalised(self, store: Store) -> None:
        """The composed and the decomposed form of a letter are two files."""
        store.publish("\u00e9", b"composed")
        store.publish("e\u0301", b"decomposed")
        assert store.read("\u00e9") == b"composed"

    def test_spellings_of_one_path(self, store: Store) -> None:
        """Leading, trailing and double slashes, and dots, do not matter."""
        store.publish("/a//./b/../file", b"x")
        assert store.read("a/file/") == b"x"

    def test_read_of_nothing(self, store: Store) -> None:
        """Reading what is not there is an error that names the path."""
        with pytest.raises(PathNotFoundError, match="'a/missing'"):
            store.read("a/missing")

    def test_directory_as_file(self, store: Store) -> None:
        """A directory is neither read, nor replaced by a file."""
        store.publish("dir/file", b"x")
        for use in (store.read, lambda path: store.publish(path, b"y")):
            with pytest.raises(PathIsDirectoryError):
                use("dir")
        assert store.read("dir/file") == b"x"

    def test_file_as_directory(self, store: Store, tmp_path: Path) -> None:
        """Nothing can be below a file."""
        store.publish("file", b"x")
        (tmp_path / "local").write_bytes(b"y")
        uses: list[Callable[[str], object]] = [
            store.read,
            store.mkdir,
            store.create_dir,
            store.list,
            lambda path: store.publish(path, b"y"),
            lambda path: store.publish_file(path, tmp_path / "local"),
            lambda path: store.put_if_absent(path, b"y"),
        ]
        for use in uses:
            with pytest.raises(PathNotDirectoryError):
                use("file/below")
        assert not store.exists("file/below")

    # Local files

    def test_files_go_in_and_out(self, store: Store, tmp_path: Path) -> None:
        """A local file goes into the store and comes back the same, replacing what is there."""
        data = bytes(range(256)) * 5000
        (tmp_path / "local").write_bytes(data)
        (tmp_path / "back").write_bytes(b"older" * 500_000)
        store.publish("a/file", b"older" * 500_000)
        store.publish_file("a/file", tmp_path / "local")
        store.fetch_file("a/file", tmp_path / "back")
        assert store.read("a/file") == (tmp_path / "back").read_bytes() == data

    def test_missing_local_file(self, store: Store, tmp_path: Path) -> None:
        """What is in the store stays, if the local file that should replace it is missing."""
        store.publish("file", b"old")
        with pytest.raises(FileNotFoundError, match="no-such"):
            store.publish_file("file", tmp_path / "no-such")
        assert store.read("file") == b"old"

    def test_fetch_of_nothing(self, store: Store, tmp_path: Path) -> None:
        """A local file stays as it is, if what should replace it is missing."""
        (tmp_path / "local").write_bytes(b"old")
        with pytest.raises(PathNotFoundError, match="'missing'"):
            store.fetch_file("missing", tmp_path / "local")
        assert (tmp_path / "local").read_bytes() == b"old"

    def test_local_path_is_the_file(self, store: Store) -> None:
        """Where a store gives a local path, the file can be opened there."""
        store.publish("a/file", b"x")
        local = store.local_path("a/file")
        assert local is None or local.read_bytes() == b"x"

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
        """A listing is sorted by name, and says kind, size and time of each entry."""
        before = time.time()
        store.publish("dir/b", b"12345")
        store.publish("dir/B", b"")
        store.mkdir("dir/a")
        found = store.list("dir")
        assert [entry.name for entry in found] == ["B", "a", "b"]
        assert [entry.is_dir for entry in found] == [False, True, False]
        assert found[2].size_bytes == 5
        assert all(abs(entry.modified - before) < 3600 for entry in found)

    def test_list_shows_one_level(self, store: Store) -> None:
        """What is further below is not listed."""
        store.publish("dir/sub/file", b"x")
        assert [entry.name for entry in store.list("dir")] == ["sub"]

    def test_list_of_nothing(self, store: Store) -> None:
        """Listing what is not there, or a file, is an error."""
        store.publish("file", b"x")
        with pytest.raises(PathNotFoundError):
            store.list("missing")
        with pytest.raises(PathNotDirectoryError):
            store.list("file")

    def test_unfinished_files_are_not_listed(self, store: Store) -> None:
        """What a killed writer left is not shown, and a directory with only that is empty."""
        store.publish(f"dir/{TEMPORARY_PREFIX}1-abc", b"half")
        assert store.list("dir") == []
        store.remove("dir")
        assert not store.exists("dir")

    def test_mkdir(self, store: Store) -> None:
        """Parents are made, and a second time nothing happens."""
        store.mkdir("a/b/c")
        store.publish("a/b/c/file", b"x")
        store.mkdir("a/b/c")
        assert store.read("a/b/c/file") == b"x"

    def test_mkdir_over_a_file(self, store: Store) -> None:
        """A file is not taken for the directory."""
        store.publish("file", b"x")
        with pytest.raises(PathExistsError):
            store.mkdir("file")

    # Claims

    def test_create_dir(self, store: Store) -> None:
        """Only the first caller made the directory; parents are made."""
        assert store.create_dir("a/run_1")
        assert not store.create_dir("a/run_1")
        assert store.is_dir("a/run_1")

    def test_create_dir_over_a_file(self, store: Store) -> None:
        """The name is taken by a file just as well."""
        store.publish("name", b"x")
        assert not store.create_dir("name")

    def test_put_if_absent(self, store: Store) -> None:
        """Only the first caller wrote the file; parents are made."""
        assert store.put_if_absent("a/file", b"first")
        assert not store.put_if_absent("a/file", b"second")
        assert store.read("a/file") == b"first"
        assert len(store.list("a")) == 1

    def test_one_of_many_makes_the_directory(self, store: Store) -> None:
        """Of many callers at once, exactly one is told that it made the directory."""
        for attempt in range(10):
            assert sum(at_once(8, lambda _, n=attempt: store.create_dir(f"a/{n}/run"))) == 1  # type: ignore[misc]

    def test_one_of_many_writes_the_file(self, store: Store) -> None:
        """Of many callers at once, exactly one is told that it wrote, and its content is there."""
        for attempt in range(10):
            path = f"a/{attempt}/file"
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

    # Append

    def test_append(self, store: Store) -> None:
        """What is appended follows what is there; the file and its parents are made."""
        if not self.can_append:
            with pytest.raises(NotImplementedError):
                store.append("a/log", b"x")
            return
        store.append("a/log", b"one\n")
        store.append("a/log", b"two\n")
        assert store.read("a/log") == b"one\ntwo\n"

    def test_appends_stay_together(self, store: Store) -> None:
        """Of many that append at once, no line is lost or mixed with another."""
        if not self.can_append:
            return
        lines = [b"%d" % index * 9000 + b"\n" for index in range(8)]

        def work(index: int) -> None:
            for _ in range(10):
                store.append("log", lines[index])

        at_once(8, work)
        assert sorted(store.read("log").splitlines(keepends=True)) == sorted(lines * 10)

    # Rename

    def test_rename_a_file(self, store: Store) -> None:
        """The file has its new name only; parents of that are made."""
        store.publish("a/file", b"x")
        store.rename("a/file", "b/c/moved")
        assert store.read("b/c/moved") == b"x"
        assert not store.exists("a/file")

    def test_rename_a_directory(self, store: Store) -> None:
        """A directory moves with all that it holds; parents of its new name are made."""
        store.publish("a/dir/sub/file", b"x")
        store.rename("a/dir", "b/c/moved")
        assert store.read("b/c/moved/sub/file") == b"x"
        assert not store.exists("a/dir")

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
        """A file and an empty directory are removed, and nothing else."""
        store.publish("dir/file", b"x")
        store.publish("dir/other", b"x")
        store.mkdir("dir/empty")
        store.remove("dir/file")
        store.remove("dir/empty")
        assert [entry.name for entry in store.list("dir")] == ["other"]

    def test_remove_of_a_full_directory(self, store: Store) -> None:
        """A directory that holds something is removed only when asked for in so many words."""
        store.publish("dir/sub/file", b"x")
        with pytest.raises(DirectoryNotEmptyError, match="recursive=True"):
            store.remove("dir")
        assert store.read("dir/sub/file") == b"x"
        store.remove("dir", recursive=True)
        assert not store.exists("dir")

    @pytest.mark.parametrize("recursive", [False, True])
    def test_remove_of_nothing(self, store: Store, recursive: bool) -> None:  # noqa: FBT001
        """What is not there cannot be removed."""
        with pytest.raises(PathNotFoundError):
            store.remove("missing", recursive=recursive)

    # The project's limits

    @pytest.mark.parametrize("path", ["", ".", "/", "a/.."])
    def test_the_root_stays(self, store: Store, path: str) -> None:
        """The root is neither removed, renamed, replaced nor claimed."""
        store.publish("file", b"x")
        uses: list[Callable[[], object]] = [
            lambda: store.remove(path, recursive=True),
            lambda: store.rename(path, "new"),
            lambda: store.rename("file", path),
            lambda: store.publish(path, b"y"),
            lambda: store.put_if_absent(path, b"y"),
            lambda: store.create_dir(path),
        ]
        for use in uses:
            with pytest.raises(PathError):
                use()
        assert store.read("file") == b"x"

    @pytest.mark.parametrize("path", ["..", "../file", "a/../../file", "/../file"])
    def test_no_path_leaves_the_project(self, store: Store, path: str, tmp_path: Path) -> None:
        """Two dots lead out of no store, whatever is done."""
        (tmp_path / "local").write_bytes(b"x")
        store.publish("file", b"x")
        uses: list[Callable[[str], object]] = [
            store.read,
            store.exists,
            store.is_dir,
            store.list,
            store.mkdir,
            store.create_dir,
            store.remove,
            store.local_path,
            lambda path: store.publish(path, b"y"),
            lambda path: store.publish_file(path, tmp_path / "local"),
            lambda path: store.fetch_file(path, tmp_path / "back"),
            lambda path: store.put_if_absent(path, b"y"),
            lambda path: store.rename(path, "new"),
            lambda path: store.rename("file", path),
        ]
        for use in uses:
            with pytest.raises(PathError, match="leaves the project"):
                use(path)

    # The store as a value

    def test_url_opens_the_same_store(self, store: Store) -> None:
        """Another process opens the same files by the URL."""
        store.publish("file", b"x")
        assert open_store(store.url).read("file") == b"x"

    def test_pickle(self, store: Store) -> None:
        """A store travels to another process."""
        store.publish("file", b"x")
        copy: Store = pickle.loads(pickle.dumps(store))
        assert copy.read("file") == b"x"

    def test_errors_are_ours_and_survive_pickling(self, store: Store) -> None:
        """An error is a `HopsError` and an `OSError`, here and in another process."""
        with pytest.raises(PathNotFoundError) as caught:
            store.read("missing")
        error = pickle.loads(pickle.dumps(caught.value))
        assert isinstance(error, HopsError)
        assert isinstance(error, FileNotFoundError)
        assert (str(error), error.errno) == (str(caught.value), caught.value.errno)
