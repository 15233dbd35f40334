import os
from pathlib import Path

import pytest

from hops import hdfs
from hops.hdfs import PathExistsError, PathNotDirectoryError, PathNotFoundError
from hops.hdfs.local import LocalStore
from hops.hdfs.testing import at_once


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current directory, with a file and a directory in it."""
    directory = tmp_path / "here"
    (directory / "tree/sub/empty").mkdir(parents=True)
    (directory / "tree/a.txt").write_bytes(b"a")
    (directory / "tree/sub/b c%20.txt").write_bytes(b"b")
    (directory / "file.txt").write_bytes(b"content")
    monkeypatch.chdir(directory)
    return directory


def tree(top: Path) -> dict[str, bytes | None]:
    """Return the content of every file below *top*, and `None` for each directory."""
    return {
        str(path.relative_to(top)): path.read_bytes() if path.is_file() else None
        for path in top.rglob("*")
    }


TREE = {"a.txt": b"a", "sub": None, "sub/b c%20.txt": b"b", "sub/empty": None}


class TestCopyToHdfs:
    """Local files go into the project."""

    @pytest.mark.parametrize("path", ["file.txt", b"file.txt", "./tree/../file.txt"])
    @pytest.mark.parametrize("target", ["Resources", "Resources/", "/Projects/demo/Resources"])
    def test_into_a_directory(
        self, project: Path, here: Path, path: str | bytes, target: str
    ) -> None:
        """Into a directory that exists, under its own name; relative to the current directory."""
        assert here.is_dir()
        hdfs.mkdir("Resources")
        hdfs.copy_to_hdfs(path, target)
        assert tree(project / "Resources") == {"file.txt": b"content"}

    def test_into_the_root_of_a_new_project(self, project: Path, here: Path) -> None:
        """The root is a directory from the beginning."""
        hdfs.copy_to_hdfs(here / "file.txt", "")
        assert tree(project) == {"file.txt": b"content"}

    def test_under_a_new_name(self, project: Path, here: Path) -> None:
        """A path at which nothing is becomes the name of the copy; parents are made."""
        hdfs.copy_to_hdfs(f"{here}/file.txt", "a/b/new.txt")
        assert tree(project / "a/b") == {"new.txt": b"content"}

    def test_slash_at_the_end_means_a_directory(self, project: Path, here: Path) -> None:
        """With a slash at the end, the directory is made if it is missing."""
        hdfs.copy_to_hdfs(f"{here}/file.txt", "a/b/")
        assert tree(project / "a/b") == {"file.txt": b"content"}

    def test_directory(self, project: Path, here: Path) -> None:
        """A directory is copied with all that it holds, empty directories too."""
        hdfs.mkdir("Resources")
        hdfs.copy_to_hdfs(f"{here}/tree/", "Resources")
        hdfs.copy_to_hdfs(f"{here}/tree", "new")
        assert tree(project / "Resources/tree") == tree(project / "new") == TREE

    @pytest.mark.parametrize("name", ["file.txt", "tree"])
    def test_taken_name(self, project: Path, here: Path, name: str) -> None:
        """What is there stays, unless `overwrite` says otherwise."""
        hdfs.dump("old", f"Resources/{name}")
        with pytest.raises(PathExistsError, match="overwrite=True"):
            hdfs.copy_to_hdfs(f"{here}/{name}", "Resources")
        assert hdfs.load(f"Resources/{name}") == b"old"
        hdfs.copy_to_hdfs(f"{here}/{name}", "Resources", True)  # noqa: FBT003 - the old order
        assert (
            tree(project / "Resources").items()
            >= {name: None if name == "tree" else b"content"}.items()
        )

    def test_overwrite_replaces_a_directory(self, project: Path, here: Path) -> None:
        """Nothing of the older directory is left."""
        hdfs.dump("old", "Resources/tree/old.txt")
        hdfs.copy_to_hdfs(f"{here}/tree", "Resources", overwrite=True)
        assert tree(project) == {
            "Resources": None,
            "Resources/tree": None,
            **{f"Resources/tree/{path}": content for path, content in TREE.items()},
        }

    def test_overwrite_replaces_a_directory_by_a_file(self, project: Path, here: Path) -> None:
        """What is there is replaced, whatever it is."""
        hdfs.dump("old", "Resources/file.txt/old.txt")
        hdfs.copy_to_hdfs(f"{here}/file.txt", "Resources", overwrite=True)
        assert tree(project / "Resources") == {"file.txt": b"content"}

    def test_one_of_many_gets_the_name(self, here: Path) -> None:
        """Without `overwrite`, of many that copy at once to one name, one succeeds."""

        def copied(_: int) -> bool:
            try:
                hdfs.copy_to_hdfs(here / "file.txt", "Resources/copy")
            except PathExistsError:
                return False
            return True

        assert sum(at_once(8, copied)) == 1
        assert hdfs.ls("Resources") == [hdfs.project_path() + "Resources/copy"]

    def test_other_project(self, tmp_path: Path, here: Path) -> None:
        """With `project`, the target is in that project."""
        hdfs.copy_to_hdfs(f"{here}/file.txt", "a/", False, "other")  # noqa: FBT003 - the old order
        assert tree(tmp_path / "home/hops/other/a") == {"file.txt": b"content"}

    @pytest.mark.parametrize("path", ["missing", ""])
    @pytest.mark.usefixtures("here")
    def test_missing(self, path: str) -> None:
        """What is not there cannot be copied."""
        with pytest.raises(FileNotFoundError, match="local file or directory"):
            hdfs.copy_to_hdfs(path, "Resources")
        assert hdfs.ls("") == []

    def test_links_are_followed(self, project: Path, here: Path) -> None:
        """What a link points to is copied."""
        (here / "tree/link").symlink_to("a.txt")
        (here / "tree/dir").symlink_to("sub")
        hdfs.copy_to_hdfs("tree", "copy")
        assert tree(project / "copy") == TREE | {
            "link": b"a",
            "dir": None,
            "dir/b c%20.txt": b"b",
            "dir/empty": None,
        }
        assert not (project / "copy/dir").is_symlink()

    @pytest.mark.parametrize("trouble", ["circle", "pipe"])
    def test_what_cannot_be_copied(self, project: Path, here: Path, trouble: str) -> None:
        """A link to a directory above, or a pipe, is an error, and no half copy is left."""
        if trouble == "circle":
            (here / "tree/sub/up").symlink_to("..")
        else:
            os.mkfifo(here / "tree/sub/pipe")
        hdfs.dump("old", "copy/file")
        with pytest.raises(OSError, match=r"link to a directory above|regular file"):
            hdfs.copy_to_hdfs("tree", "copy", overwrite=True)
        assert tree(project) == {"copy": None, "copy/file": b"old"}


class TestCopyToLocal:
    """Files of the project come to the local disk."""

    @pytest.fixture(autouse=True)
    def in_project(self, here: Path) -> None:
        """Put a file and a directory into the project, and start from an empty directory."""
        hdfs.copy_to_hdfs(here / "file.txt", "")
        hdfs.copy_to_hdfs(here / "tree", "")
        (here / "work").mkdir()
        os.chdir(here / "work")

    @pytest.fixture
    def work(self, here: Path) -> Path:
        """Return the empty directory."""
        return here / "work"

    def test_into_the_current_directory(self, work: Path) -> None:
        """Without a local path it is the current directory; the full local path is returned."""
        assert hdfs.copy_to_local("file.txt") == f"{work}/file.txt"
        assert hdfs.localize("tree") == f"{work}/tree"
        assert tree(work) == {
            "file.txt": b"content",
            "tree": None,
            **{f"tree/{path}": content for path, content in TREE.items()},
        }

    @pytest.mark.parametrize("name", ["relative", "absolute"])
    def test_into_a_directory(self, work: Path, name: str) -> None:
        """The local directory may be relative or absolute."""
        (work / "dir").mkdir()
        directory = "dir/" if name == "relative" else f"{work}/dir"
        assert hdfs.copy_to_local(hdfs.project_path() + "file.txt", directory) == (
            f"{work}/dir/file.txt"
        )
        assert (work / "dir/file.txt").read_bytes() == b"content"

    @pytest.mark.parametrize("path", ["file.txt", "tree/a.txt", "tree"])
    def test_same_size_and_other_content(self, work: Path, path: str) -> None:
        """A local copy of the same size and names, but older content, is replaced."""
        local = Path(hdfs.copy_to_local(path))
        changed = "tree/a.txt" if path == "tree" else path
        new = hdfs.load(changed)[::-1].swapcase()
        hdfs.dump(new, changed)
        hdfs.copy_to_local(path)
        found = local / "a.txt" if path == "tree" else local
        assert found.read_bytes() == new
        assert len(list(work.iterdir())) == 1

    @pytest.mark.parametrize("path", ["file.txt", "tree"])
    def test_same_content_is_left_alone(self, path: str) -> None:
        """A local copy that is the same is not written again, unless `overwrite` is given."""
        local = hdfs.copy_to_local(path)
        before = Path(local).stat().st_ino
        assert hdfs.copy_to_local(path) == local
        assert Path(local).stat().st_ino == before
        assert hdfs.copy_to_local(path, "", True) == local  # noqa: FBT003 - the old order
        assert Path(local).stat().st_ino != before

    def test_other_names(self, work: Path) -> None:
        """A local directory that lost or gained a file becomes what the project holds."""
        hdfs.copy_to_local("tree")
        (work / "tree/more").write_bytes(b"x")
        (work / "tree/sub/b c%20.txt").unlink()
        hdfs.copy_to_local("tree")
        assert tree(work / "tree") == TREE

    def test_file_where_a_directory_was(self, work: Path) -> None:
        """A directory gives way to a file, and a file to a directory."""
        (work / "file.txt").mkdir()
        (work / "tree").write_bytes(b"x")
        hdfs.copy_to_local("file.txt")
        hdfs.copy_to_local("tree")
        assert (work / "file.txt").read_bytes() == b"content"
        assert tree(work / "tree") == TREE

    @pytest.mark.parametrize("path", ["file.txt", "tree"])
    def test_failure_leaves_all_as_it_was(
        self, work: Path, monkeypatch: pytest.MonkeyPatch, path: str
    ) -> None:
        """A copy that breaks off in the middle leaves the older one, and nothing beside it."""
        hdfs.copy_to_local(path)
        before = tree(work)
        for name in ("file.txt", "tree/sub/b c%20.txt"):
            hdfs.dump("newer", name)
        copied: list[int] = []

        def break_off(source: int, target: int) -> None:
            copied.append(source)
            if path == "file.txt" or len(copied) > 1:
                os.write(target, b"half")
                raise OSError(28, "No space left on device")

        monkeypatch.setattr("hops.hdfs.atomic.copy_all", break_off)
        with pytest.raises(OSError, match="No space left"):
            hdfs.copy_to_local(path)
        assert tree(work) == before

    def test_many_at_once(self, work: Path) -> None:
        """Of many that bring one directory to one place, none fails, and nothing is left over."""
        for content in ("newer", "newest"):
            hdfs.dump(content, "tree/a.txt")
            at_once(8, lambda _: hdfs.copy_to_local("tree", str(work)))
            assert (work / "tree/a.txt").read_text() == content
            assert os.listdir(work) == ["tree"]  # noqa: PTH208 - hidden names too

    def test_link_at_the_target_is_replaced_itself(self, work: Path, here: Path) -> None:
        """What a local link points to stays as it is."""
        (work / "tree").symlink_to(here / "tree")
        (here / "tree/mine").write_bytes(b"precious")
        hdfs.copy_to_local("tree")
        assert (here / "tree/mine").read_bytes() == b"precious"
        assert not (work / "tree").is_symlink()
        assert tree(work / "tree") == TREE

    def test_missing(self, work: Path) -> None:
        """What is not in the project cannot be copied."""
        with pytest.raises(PathNotFoundError, match="'missing'"):
            hdfs.copy_to_local("missing")
        assert tree(work) == {}

    def test_local_path_must_be_a_directory(self, work: Path) -> None:
        """A local path that is missing, or a file, is named with what was expected."""
        with pytest.raises(PathNotFoundError, match="mkdir -p"):
            hdfs.copy_to_local("file.txt", "missing")
        (work / "plain").write_bytes(b"x")
        with pytest.raises(PathNotDirectoryError, match="is a file"):
            hdfs.copy_to_local("file.txt", "plain")
        assert (work / "plain").read_bytes() == b"x"

    def test_other_project(self, work: Path) -> None:
        """With `project`, the source is in that project."""
        hdfs.dump("other", "/Projects/other/file.txt")
        hdfs.copy_to_local("file.txt", "", False, "other")  # noqa: FBT003 - the old order
        assert (work / "file.txt").read_bytes() == b"other"

    def test_whole_project(self, work: Path) -> None:
        """The root goes under the name of its directory."""
        assert hdfs.copy_to_local("") == f"{work}/demo"
        assert (work / "demo/file.txt").read_bytes() == b"content"

    def test_after_dots_behind_a_link(self, work: Path, here: Path) -> None:
        """Two dots after a link lead where the operating system goes."""
        (here / "far/away").mkdir(parents=True)
        (work / "link").symlink_to(here / "far/away")
        assert hdfs.copy_to_local("file.txt", "link/..") == f"{here}/far/file.txt"
        assert (here / "far/file.txt").exists()


@pytest.mark.parametrize("kind", ["directory", "link", "link that leads nowhere"])
def test_the_replaced_one_keeps_its_name(
    here: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Linux replaces in one step what is there: a crash finds the older one or the newer one."""
    hdfs.copy_to_hdfs(here / "tree", "")
    target = here / "work/tree"
    target.parent.mkdir()
    if kind == "directory":
        target.mkdir()
    else:
        target.symlink_to(here / "tree/sub" if kind == "link" else "nowhere")
    renamed: list[str] = []
    rename = LocalStore.rename

    def watched(self: LocalStore, source: str, name: str) -> None:
        renamed.append(f"/{source}")
        rename(self, source, name)

    monkeypatch.setattr(LocalStore, "rename", watched)
    hdfs.copy_to_local("tree", target.parent)
    assert str(target) not in renamed
    assert not target.is_symlink()
    assert tree(target) == TREE
    assert os.listdir(target.parent) == ["tree"]  # noqa: PTH208 - hidden names too


class TestWithoutExchange(TestCopyToLocal):
    """The same where the system cannot swap two names."""

    @pytest.fixture(autouse=True)
    def old_system(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let it answer so."""
        monkeypatch.setattr("hops.hdfs.atomic.exchange", lambda *_: False)

    def test_failure_of_the_last_step(self, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """If the new directory cannot take its name, the older one has it again."""
        hdfs.copy_to_local("tree")
        hdfs.dump("newer", "tree/a.txt")
        renamed: list[str] = []
        rename = LocalStore.rename

        def fail_once(self: LocalStore, source: str, target: str) -> None:
            renamed.append(target)
            if len(renamed) == 3:  # the name is taken, the older one moves away, this one fails
                raise OSError(5, "Input/output error")
            rename(self, source, target)

        monkeypatch.setattr(LocalStore, "rename", fail_once)
        with pytest.raises(OSError, match="Input/output error"):
            hdfs.copy_to_local("tree")
        assert tree(work / "tree") == TREE
        assert len(list(work.iterdir())) == 1


class TestWithoutLocalPaths(TestCopyToLocal):
    """The same from a store whose files are not local."""

    @pytest.fixture(autouse=True)
    def far_away(self, in_project: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG002
        """Let the store of the project not tell where its files are."""
        monkeypatch.setattr("hops.hdfs.paths.store_at", FarStore)

    @pytest.mark.parametrize("path", ["file.txt", "tree"])
    def test_same_content_is_left_alone(self, path: str) -> None:
        """It cannot be compared without fetching it: the local copy is replaced by the same."""
        assert Path(hdfs.copy_to_local(path)).exists()
        before = tree(Path.cwd())
        hdfs.copy_to_local(path)
        assert tree(Path.cwd()) == before

    def test_cp(self, project: Path) -> None:
        """A copy within such a store goes by way of a local file."""
        hdfs.cp("tree", "copy")
        assert tree(project / "copy") == TREE


class FarStore(LocalStore):
    """A store that gives no local paths."""

    __slots__ = ()

    def local_path(self, path: str) -> None:  # type: ignore[override]
        """Give none."""
