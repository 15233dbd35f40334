from pathlib import Path

import pytest

from hops import hdfs
from hops.hdfs import PathError, PathExistsError, PathNotFoundError


def tree(top: Path) -> dict[str, bytes | None]:
    """Return the content of every file below *top*, and `None` for each directory."""
    return {
        str(path.relative_to(top)): path.read_bytes() if path.is_file() else None
        for path in top.rglob("*")
    }


class TestCp:
    """Copying within the project."""

    def test_file(self) -> None:
        """To a new name, and into a directory."""
        hdfs.dump("x", "a/file")
        hdfs.cp("a/file", "b/new")
        hdfs.cp("a/file", "b")
        assert hdfs.load("b/new") == hdfs.load("b/file") == hdfs.load("a/file") == b"x"

    def test_directory(self, project: Path) -> None:
        """With all that it holds, even into itself."""
        hdfs.dump("x", "a/sub/file")
        hdfs.cp("a", "a")
        assert tree(project) == {
            "a": None,
            "a/sub": None,
            "a/sub/file": b"x",
            "a/a": None,
            "a/a/sub": None,
            "a/a/sub/file": b"x",
        }

    def test_taken_name(self) -> None:
        """What is there stays, unless `overwrite` says otherwise."""
        hdfs.dump("new", "file")
        hdfs.dump("old", "other")
        with pytest.raises(PathExistsError):
            hdfs.cp("file", "other")
        hdfs.cp("file", "other", True)  # noqa: FBT003 - the old order
        assert hdfs.load("other") == b"new"

    def test_between_projects(self) -> None:
        """Paths may name two projects."""
        hdfs.dump("x", "file")
        hdfs.cp("file", "/Projects/other/a/")
        assert hdfs.load("/Projects/other/a/file") == b"x"

    def test_missing(self) -> None:
        """What is not there cannot be copied."""
        with pytest.raises(PathNotFoundError):
            hdfs.cp("missing", "a")


@pytest.mark.parametrize("name", ["move", "rename"])
class TestMove:
    """Moving within the project; the old library had two names for it."""

    def test_to_a_new_name(self, project: Path, name: str) -> None:
        """Parents of the new name are made."""
        hdfs.dump("x", "a/file")
        getattr(hdfs, name)("a/file", "b/c/new")
        assert tree(project) == {"a": None, "b": None, "b/c": None, "b/c/new": b"x"}

    def test_into_a_directory(self, project: Path, name: str) -> None:
        """Into a directory that exists, under its own name."""
        hdfs.dump("x", "a/file")
        hdfs.mkdir("b")
        getattr(hdfs, name)("a", "b")
        assert tree(project) == {"b": None, "b/a": None, "b/a/file": b"x"}

    def test_taken_name(self, name: str) -> None:
        """Nothing is replaced."""
        hdfs.dump("x", "a")
        hdfs.dump("y", "b")
        with pytest.raises(PathExistsError):
            getattr(hdfs, name)("a", "b")
        assert (hdfs.load("a"), hdfs.load("b")) == (b"x", b"y")

    def test_between_projects(self, name: str) -> None:
        """It is copied, and then removed."""
        hdfs.dump("x", "a/file")
        getattr(hdfs, name)("a", "/Projects/other/new")
        assert hdfs.load("/Projects/other/new/file") == b"x"
        assert not hdfs.exists("a")
        hdfs.dump("y", "a")
        with pytest.raises(PathExistsError):
            getattr(hdfs, name)("a", "/Projects/other/new/file")

    def test_missing(self, name: str) -> None:
        """What is not there cannot be moved."""
        with pytest.raises(PathNotFoundError):
            getattr(hdfs, name)("missing", "a")

    @pytest.mark.parametrize("target", ["a", "/Projects/other/a"])
    def test_the_root_stays(self, name: str, target: str) -> None:
        """The root of a project is not moved, and not copied on the way."""
        hdfs.dump("x", "file")
        with pytest.raises(PathError, match="is the root"):
            getattr(hdfs, name)("", target)
        assert hdfs.exists("file")
        assert not hdfs.exists(target)
