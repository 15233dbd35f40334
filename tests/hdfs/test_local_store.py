import errno
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hops.hdfs import (
    PathError,
    PathNotFoundError,
    StoreFullError,
    StoreNotWritableError,
    open_store,
)
from hops.hdfs.local import LocalStore
from hops.hdfs.store import Store
from hops.hdfs.testing import StoreConformance


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return where the store of a test is; its name needs quoting in a URL."""
    return tmp_path / "pro ject %20#é"


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Let the test run with the rights of a user whom permissions bind."""
    if os.geteuid() != 0:
        yield
        return
    import_module("ctypes")  # now, because Python itself may lie where only root can read
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def store(root: Path) -> LocalStore:
    """Return an empty store whose directory is not there yet."""
    return LocalStore(str(root))


class TestLocalStore(StoreConformance):
    """A local directory is a store."""

    @pytest.fixture
    def store(self, root: Path) -> Store:
        """Return an empty store whose directory is not there yet."""
        return LocalStore(str(root))


class TestWithoutNewSystemCalls(TestLocalStore):
    """So it is on a file system without hard links, locks, range copies and careful renames."""

    @pytest.fixture(autouse=True)
    def old_system(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the calls fail as a FUSE mount does."""

        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

        for call in ("os.link", "os.copy_file_range", "os.fchmod", "fcntl.flock"):
            monkeypatch.setattr(call, refuse)
        monkeypatch.setattr("hops.hdfs.atomic._renameat2", lambda *_: False)

    def test_one_of_many_renames(self, store: Store) -> None:
        """Without links two renames can meet, and still no directory with content is replaced."""
        store.publish("a/file", b"a")
        store.publish("b/file", b"b")
        store.rename("a", "target")
        with pytest.raises(FileExistsError):
            store.rename("b", "target")
        assert store.read("target/file") == b"a"


class TestUnwritable:
    """Where nothing can be written, the error says what to do."""

    @pytest.mark.parametrize("method", ["publish", "append", "put_if_absent"])
    def test_files(self, method: str) -> None:
        """A file in a place that not even root can change: the hint names the variable."""
        store = LocalStore("/sys/hops-test")
        with pytest.raises(StoreNotWritableError, match="HOPS_PROJECT_DIR"):
            getattr(store, method)("file", b"x")

    @pytest.mark.parametrize("method", ["mkdir", "create_dir"])
    def test_directories(self, method: str) -> None:
        """So it is with a directory."""
        with pytest.raises(StoreNotWritableError, match="HOPS_PROJECT_DIR"):
            getattr(LocalStore("/sys/hops-test"), method)("a/b")

    @pytest.mark.usefixtures("ordinary_user")
    def test_writable_and_not_listable(self) -> None:
        """A directory that its user may write in and not list, as some share, takes all of it."""
        with TemporaryDirectory() as directory:  # tmp_path is below what only its user may enter
            root = Path(directory, "project")
            root.mkdir()
            root.chmod(0o333)
            store = LocalStore(str(root))
            store.publish("a", b"x")
            assert store.put_if_absent("b", b"y")
            store.append("b", b"z")
            assert store.create_dir("dir")
            store.publish("dir/c", b"x")
            store.rename("a", "d")
            store.rename("dir", "moved")
            assert store.exchange("d", "b")
            with pytest.raises(PermissionError):
                store.list("")
            assert (store.read("b"), store.read("d")) == (b"x", b"yz")
            assert store.read("moved/c") == b"x"
            store.remove("d")
            root.chmod(0o700)
            assert [entry.name for entry in store.list("")] == ["b", "moved"]

    def test_reading_needs_no_writing(
        self, store: LocalStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A file that may not be read is a plain permission error, without that advice."""
        store.publish("file", b"x")

        def deny(path: str, *_: object) -> int:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

        monkeypatch.setattr("os.open", deny)
        with pytest.raises(PermissionError) as caught:
            store.read("file")
        assert not isinstance(caught.value, StoreNotWritableError)


class TestFullDisk:
    """A write that does not fit leaves everything as it was."""

    @pytest.fixture
    def nearly_full(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the disk take ten bytes of a write, and no more after that."""
        write, room = os.write, [10]

        def write_what_fits(descriptor: int, data: bytes) -> int:
            if not room[0]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written = write(descriptor, bytes(data)[: room[0]])
            room[0] -= written
            return written

        monkeypatch.setattr("os.write", write_what_fits)

    def test_publish(self, store: LocalStore, root: Path, nearly_full: None) -> None:  # noqa: ARG002
        """The old content stays, and nothing unfinished is left to fill the disk."""
        store.publish("file", b"old")
        with pytest.raises(StoreFullError, match="no space is left"):
            store.publish("file", b"new content of more than ten bytes")
        assert os.listdir(root) == ["file"]  # noqa: PTH208 - the names alone
        assert store.read("file") == b"old"

    def test_append(self, store: LocalStore, nearly_full: None) -> None:  # noqa: ARG002
        """A line that did not fit is taken back whole."""
        store.append("log", b"one\n")
        with pytest.raises(StoreFullError):
            store.append("log", b"a line that does not fit\n")
        assert store.read("log") == b"one\n"

    def test_limit_of_the_process(self, store: LocalStore, root: Path) -> None:
        """A real limit, met in the middle of a write, is met cleanly."""
        program = (
            "import resource, sys\n"
            "from hops.hdfs.local import LocalStore\n"
            "from hops.hdfs import StoreFullError\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
            "store = LocalStore(sys.argv[1])\n"
            "store.append('log', b'x' * 60_000)\n"
            "for write in (store.publish, store.append, store.put_if_absent):\n"
            "    try:\n"
            "        write('log' if write == store.append else 'file', b'y' * 150_000)\n"
            "    except StoreFullError as error:\n"
            "        print(error.errno, 'ulimit' in str(error))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(root)], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines() == [f"{errno.ENOSPC} True"] * 3
        assert os.listdir(root) == ["log"]  # noqa: PTH208 - the names alone
        assert store.read("log") == b"x" * 60_000


class TestSymbolicLinks:
    """A user's links are followed for reading, and never for removing."""

    @pytest.fixture
    def outside(self, tmp_path: Path) -> Path:
        """Return a directory outside the project, with a file in it."""
        directory = tmp_path / "outside"
        directory.mkdir()
        (directory / "file").write_bytes(b"precious")
        return directory

    def test_reading_through_a_link(self, store: LocalStore, root: Path, outside: Path) -> None:
        """A linked directory is a directory like any other."""
        root.mkdir()
        (root / "link").symlink_to(outside)
        store.publish("link/new", b"x")
        assert store.read("link/file") == b"precious"
        assert [(entry.name, entry.is_dir) for entry in store.list("")] == [("link", True)]
        assert (outside / "new").exists()

    @pytest.mark.parametrize("recursive", [False, True])
    def test_removing_a_link(
        self,
        store: LocalStore,
        root: Path,
        outside: Path,
        recursive: bool,  # noqa: FBT001 - a parameter of the test
    ) -> None:
        """The link goes; what it points to stays."""
        root.mkdir()
        (root / "link").symlink_to(outside)
        store.remove("link", recursive=recursive)
        assert not store.exists("link")
        assert (outside / "file").read_bytes() == b"precious"

    def test_removing_a_directory_with_links(
        self, store: LocalStore, root: Path, outside: Path
    ) -> None:
        """Links below a removed directory are not followed either."""
        store.mkdir("dir/sub")
        (root / "dir/sub/link").symlink_to(outside)
        (root / "dir/file").symlink_to(outside / "file")
        store.remove("dir", recursive=True)
        assert (outside / "file").read_bytes() == b"precious"

    def test_a_link_that_leads_nowhere(self, store: LocalStore, root: Path) -> None:
        """It does not exist, is listed all the same, and can be removed."""
        root.mkdir()
        (root / "link").symlink_to("nowhere")
        assert not store.exists("link")
        assert [(entry.name, entry.is_dir) for entry in store.list("")] == [("link", False)]
        store.remove("link")
        assert store.list("") == []


@pytest.mark.parametrize("name", ["file", "dir"])
def test_rename_is_one_system_call(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Linux renames without replacing in one step, into which neither crash nor rival can come."""
    store.publish("file", b"x")
    store.publish("dir/file", b"x")
    for call in ("os.rename", "os.link", "os.replace"):
        monkeypatch.delattr(call)
    store.rename(name, "new")
    assert store.exists("new")


def test_exchange(store: LocalStore) -> None:
    """Two names are swapped, whatever has them; one that is not there leaves the other."""
    store.publish("file", b"x")
    store.publish("dir/file", b"y")
    assert store.exchange("file", "dir")
    assert (store.read("dir"), store.read("file/file")) == (b"x", b"y")
    with pytest.raises(PathNotFoundError, match="'missing'"):
        store.exchange("dir", "missing")
    assert store.read("dir") == b"x"


@pytest.mark.parametrize("number", [errno.ENOTEMPTY, errno.ENOENT])
def test_removing_where_others_write(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A directory goes even if somebody adds to it, or removes from it, at the same time."""
    store.publish("dir/sub/file", b"x")
    rmtree = shutil.rmtree
    meanwhile = [lambda: store.publish("dir/sub/late", b"x")] * 3

    def disturbed(path: str) -> None:
        rmtree(path)
        if meanwhile:
            meanwhile.pop()()
            raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr("shutil.rmtree", disturbed)
    store.remove("dir", recursive=True)
    assert not store.exists("dir")
    assert not meanwhile


def test_a_pipe_is_not_read(store: LocalStore, root: Path, tmp_path: Path) -> None:
    """A named pipe is an error at once, where reading it would wait for ever."""
    root.mkdir()
    os.mkfifo(root / "pipe")
    for use in (store.read, lambda path: store.fetch_file(path, tmp_path / "local")):
        with pytest.raises(OSError, match="regular"):
            use("pipe")
    with pytest.raises(OSError, match="regular"):
        store.publish_file("file", root / "pipe")


def test_replaced_file_keeps_its_permissions(store: LocalStore, root: Path) -> None:
    """A file that its owner closed to others stays closed when it is written anew."""
    store.publish("file", b"old")
    (root / "file").chmod(0o600)
    store.publish("file", b"new")
    assert stat.S_IMODE((root / "file").stat().st_mode) == 0o600


def test_no_directory_can_be_made_in_proc() -> None:
    """A file system that answers oddly ends in an error, not in an endless attempt."""
    with pytest.raises(OSError, match="hops-test"):
        LocalStore("/proc/hops-test").publish("a/file", b"x")


def test_root_must_be_absolute() -> None:
    """A relative root would move with the current directory."""
    with pytest.raises(PathError, match="'demo'"):
        LocalStore("demo")


def test_url(store: LocalStore, root: Path) -> None:
    """The URL is quoted like any file URL, and leads back to the same directory."""
    assert store.url == root.as_uri()
    opened = open_store(store.url)
    assert isinstance(opened, LocalStore)
    assert opened.root == str(root)


@pytest.mark.parametrize("url", ["s3://bucket/a", "/home/ada", "", "file:/home/ada"])
def test_url_of_no_store(url: str) -> None:
    """What is not the URL of a store is named, with what was expected."""
    with pytest.raises(PathError, match="file://"):
        open_store(url)


def test_sorted_listing_of_many(store: LocalStore, root: Path) -> None:
    """A large directory is listed in one order, whatever the file system's."""
    root.mkdir()
    names = [f"{number:x}" for number in range(3000)]
    for name in names:
        (root / name).touch()
    assert [entry.name for entry in store.list("")] == sorted(names)


def test_order_of_bringing_to_disk(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Content is on the disk before the file has its name, and the name before the call returns."""
    store.mkdir("dir")
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        calls.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "content")
        fsync(descriptor)

    def replaced(source: str, target: str) -> None:
        calls.append("name")
        replace(source, target)

    monkeypatch.setattr("os.fsync", synced)
    monkeypatch.setattr("os.replace", replaced)
    store.publish("dir/file", b"x")
    assert calls == ["content", "name", "directory"]
    store.rename("dir/file", "dir/other")
    assert calls[3:] == ["directory"]
    store.mkdir("new/sub")
    assert calls[4:] == ["directory", "directory"]
