from pathlib import Path

import pytest

from hops import hdfs
from hops.hdfs import (
    DirectoryNotEmptyError,
    PathError,
    PathExistsError,
    PathIsDirectoryError,
    PathNotFoundError,
)


@pytest.mark.parametrize("data", [b"\x00\xff", "größe 🦛\n", b"", ""])
def test_load_gives_bytes_of_what_was_dumped(data: str | bytes) -> None:
    """Text goes out as UTF-8, and bytes come back."""
    hdfs.dump(data, "a/file")
    assert hdfs.load("a/file") == (data.encode() if isinstance(data, str) else data)


def test_dump_replaces() -> None:
    """A shorter text leaves nothing of the older one."""
    hdfs.dump("a long old text", "file")
    hdfs.dump("new", "file")
    assert hdfs.load("file") == b"new"


def test_dump_on_a_directory() -> None:
    """A directory is not replaced by a file."""
    hdfs.mkdir("dir")
    with pytest.raises(PathIsDirectoryError):
        hdfs.dump("x", "dir")


def test_missing_paths_are_os_errors() -> None:
    """Old programs catch `IOError` for what is not there."""
    for use in (hdfs.load, hdfs.ls, hdfs.rmr, hdfs.delete, hdfs.isdir, hdfs.isfile, hdfs.abs_path):
        with pytest.raises(IOError, match="'a/missing'") as caught:
            use("a/missing")
        assert isinstance(caught.value, PathNotFoundError)


def test_exists_isdir_isfile() -> None:
    """A file is a file, a directory a directory, and nothing does not exist."""
    hdfs.dump("x", "dir/file")
    assert [hdfs.exists(path) for path in ("dir", "dir/file", "dir/no")] == [True, True, False]
    assert hdfs.isdir("dir")
    assert not hdfs.isdir("dir/file")
    assert hdfs.isfile("dir/file")
    assert not hdfs.isfile("dir")


def test_project_argument() -> None:
    """Functions that take `project` use it, by position too."""
    hdfs.mkdir("dir", "other")
    assert hdfs.exists("dir", "other")
    assert hdfs.isdir("dir", "other")
    assert not hdfs.isfile("dir", "other")
    assert not hdfs.exists("dir")
    hdfs.rmr("dir", "other")
    assert not hdfs.exists("dir", "other")


def test_new_project_is_empty() -> None:
    """Before the first file is written, the project is an empty directory."""
    assert hdfs.exists("")
    assert hdfs.ls("") == []
    assert hdfs.ls("/", recursive=True) == []


def test_mkdir() -> None:
    """Parents are made, a second time nothing happens, and a file is an error."""
    hdfs.mkdir("a/b")
    hdfs.mkdir("a/b")
    assert hdfs.isdir("a/b")
    hdfs.dump("x", "file")
    with pytest.raises(PathExistsError):
        hdfs.mkdir("file")


class TestLs:
    """Listing by full paths."""

    @pytest.fixture(autouse=True)
    def tree(self) -> None:
        """Make a few files."""
        for path in ("b.txt", "a/2", "a/1", "a.b/x", "c/d/e"):
            hdfs.dump("x", path)
        hdfs.mkdir("empty")

    def test_one_level(self, project: Path) -> None:
        """The full path of each entry, sorted by name."""
        names = ["a", "a.b", "b.txt", "c", "empty"]
        assert hdfs.ls("") == [f"{project}/{name}" for name in names]
        assert hdfs.ls("a/") == [f"{project}/a/1", f"{project}/a/2"]
        assert hdfs.ls("empty") == []

    def test_of_a_file(self, project: Path) -> None:
        """A file lists itself."""
        assert hdfs.ls("a/1") == hdfs.ls("a/1", recursive=True) == [f"{project}/a/1"]

    def test_recursive(self, project: Path) -> None:
        """Everything below, each directory before what it holds; without the top itself."""
        names = ["a", "a/1", "a/2", "a.b", "a.b/x", "b.txt", "c", "c/d", "c/d/e", "empty"]
        assert hdfs.ls("", True) == [f"{project}/{name}" for name in names]  # noqa: FBT003 - old order
        assert hdfs.ls("c", True, True) == [f"{project}/c/d", f"{project}/c/d/e"]  # noqa: FBT003 - old order

    def test_recursive_with_links_in_a_circle(self, project: Path) -> None:
        """Links to directories above are listed and not entered: the listing has an end."""
        (project / "a/up").symlink_to("..")
        (project / "c/a").symlink_to("../a")
        below_a = ["a", "a/1", "a/2", "a/up"]
        found = [path.removeprefix(f"{project}/") for path in hdfs.ls("", recursive=True)]
        assert found[:4] == below_a
        assert [path for path in found if path.startswith("c/")] == [
            *(f"c/{path}" for path in below_a),
            "c/d",
            "c/d/e",
        ]


class TestRemoving:
    """`rmr` and `delete`."""

    def test_rmr(self) -> None:
        """Files and whole directories go."""
        hdfs.dump("x", "dir/sub/file")
        hdfs.dump("x", "file")
        hdfs.rmr("dir")
        hdfs.rmr("file")
        assert hdfs.ls("") == []

    def test_delete(self) -> None:
        """A directory that holds something needs `recursive`."""
        hdfs.dump("x", "dir/file")
        with pytest.raises(DirectoryNotEmptyError):
            hdfs.delete("dir")
        hdfs.delete("dir", True)  # noqa: FBT003 - the old order
        assert not hdfs.exists("dir")

    @pytest.mark.parametrize("path", ["", "/", ".", "a/..", "/Projects/demo", "/Projects/demo/"])
    def test_the_root_stays(self, project: Path, path: str) -> None:
        """The root of a project is never removed."""
        hdfs.dump("x", "file")
        for remove in (hdfs.rmr, hdfs.delete):
            with pytest.raises(PathError):
                remove(path)
        with pytest.raises(PathError):
            hdfs.rmr(hdfs.project_path())
        assert (project / "file").exists()

    def test_links_are_not_followed(self, project: Path, tmp_path: Path) -> None:
        """A link goes, what it points to stays."""
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside/file").write_text("precious")
        hdfs.mkdir("dir")
        (project / "dir/link").symlink_to(tmp_path / "outside")
        (project / "link").symlink_to(tmp_path / "outside")
        assert hdfs.load("link/file") == b"precious"
        hdfs.rmr("link")
        hdfs.rmr("dir")
        assert hdfs.ls("") == []
        assert (tmp_path / "outside/file").read_text() == "precious"
