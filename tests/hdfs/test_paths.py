import os
from contextvars import copy_context
from pathlib import Path

import pytest

from hops import hdfs, project
from hops.hdfs import PathError, PathNotFoundError
from hops.hdfs.paths import locate, without_address


class TestProject:
    """The four functions that say which project it is."""

    def test_on_a_laptop(self, project: Path) -> None:
        """The path is the plain root with a slash at the end, so that names can be appended."""
        assert hdfs.project_path() == f"{project}/"
        assert hdfs.project_path(None, True) == f"{project}/"  # noqa: FBT003 - the old order
        assert hdfs.project_name() == "demo"
        assert hdfs.project_id() == "0"
        assert hdfs.project_user() == "demo__ada"

    def test_of_another_project(self, tmp_path: Path) -> None:
        """Another project has the directory that `connect()` would choose for it."""
        assert hdfs.project_path("other") == f"{tmp_path}/home/hops/other/"
        assert hdfs.project_path("demo") == hdfs.project_path()

    def test_of_another_project_without_a_name_of_this_one(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """With `HOPS_PROJECT_DIR` alone, another project is not taken for this one."""
        monkeypatch.delenv("HOPSWORKS_PROJECT_NAME")
        hdfs.dump("mine", "file")
        assert (project / "file").exists()
        assert not hdfs.exists("file", "other")
        with pytest.raises(PathNotFoundError):
            hdfs.rmr("/Projects/other/file")
        assert hdfs.load("/Projects/default/file") == b"mine"

    def test_of_another_project_in_a_home_that_is_spelt_oddly(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What `project_path()` gives is recognised."""
        monkeypatch.setenv("HOME", f"{tmp_path}//./home/")
        hdfs.dump("x", hdfs.project_path("other") + "file")
        assert (tmp_path / "home/hops/other/file").exists()

    def test_of_the_project_that_the_directory_was_given_to(self, project: Path) -> None:
        """Seen from another project, it is still in its own directory."""

        def seen_from_other() -> list[str]:
            connect("other")
            hdfs.dump("x", hdfs.project_path("demo") + "file")
            return hdfs.ls("/Projects/demo")

        from hops.project import connect

        assert copy_context().run(seen_from_other) == [f"{project}/file"]

    @pytest.mark.parametrize("name", ["a/b", "..", "-x", "a b", "x" * 100])
    def test_name_that_none_can_have(self, name: str) -> None:
        """What cannot be a project's name is named."""
        with pytest.raises(PathError, match="name of a project"):
            hdfs.project_path(name)

    def test_on_a_cluster(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The root is a URL there, from which the address can be left out."""
        on_cluster = project.Project(
            name="demo",
            id="119",
            user="demo__ada",
            platform=project.Platform.HOPSWORKS,
            root="hopsfs://10.0.2.15:8020/Projects/demo",
        )
        monkeypatch.setattr("hops.hdfs.paths.current", lambda: on_cluster)
        assert hdfs.project_path() == "hopsfs://10.0.2.15:8020/Projects/demo/"
        assert hdfs.project_path("other") == "hopsfs://10.0.2.15:8020/Projects/other/"
        assert hdfs.project_path(exclude_nn_addr=True) == "hopsfs:///Projects/demo/"
        assert locate("hdfs://other:1/Projects/demo/a") == locate("a") == (on_cluster.root, "a")


@pytest.mark.parametrize(
    "path",
    [
        "Resources/a b.csv",
        "/Resources/a b.csv",
        b"Resources/a b.csv",
        Path("Resources/a b.csv"),
        "Resources//./x/../a b.csv",
        "/Projects/demo/Resources/a b.csv",
        "/Projects//demo//Resources/a b.csv",
        "hdfs:///Projects/demo/Resources/a b.csv",
        "hdfs://10.0.2.15:8020/Projects/demo/Resources/a b.csv",
        "hopsfs://rpc.namenode.service.consul:8020/Projects/demo/Resources/a b.csv",
        "HDFS://nn:1/Projects/demo/Resources/a b.csv",
    ],
)
def test_spellings_of_one_place(project: Path, path: str | bytes | Path) -> None:
    """Relative, absolute and URL forms of a path mean the same file."""
    hdfs.dump("x", path)
    assert (project / "Resources/a b.csv").read_bytes() == b"x"
    assert hdfs.abs_path(path) == f"{project}/Resources/a b.csv"


def test_full_path_is_itself(project: Path) -> None:
    """What `project_path()` and `ls()` give can be given back."""
    hdfs.dump("x", hdfs.project_path() + "/Resources/file")
    assert hdfs.ls(hdfs.project_path() + "Resources") == [f"{project}/Resources/file"]
    assert hdfs.load(hdfs.ls("Resources")[0]) == b"x"


@pytest.mark.parametrize(
    "path", ["/home/x", "/ProjectsX/x", "/projects/demo/x", "Projects/demo/x", "~/x", "a:b/c://d"]
)
def test_anything_else_is_relative(project: Path, path: str) -> None:
    """A path that only looks absolute is below the project root, as it always was."""
    hdfs.dump("x", path)
    assert (project / path.lstrip("/")).exists()


def test_a_directory_whose_name_begins_like_the_root(project: Path) -> None:
    """`<root>X` is not below `<root>`."""
    hdfs.dump("x", f"{project}X/file")
    assert (project / f"{project}X/file".lstrip("/")).exists()


@pytest.mark.parametrize("name", ["100%", "a%20b", "a#b", "a?b", "größe 🦛", "a\nb"])
@pytest.mark.parametrize("prefix", ["", "/Projects/demo/", "hdfs://host:1/Projects/demo/"])
def test_nothing_is_decoded(project: Path, prefix: str, name: str) -> None:
    """A name is the same file in every form of a path, whatever characters it has."""
    hdfs.dump("x", f"{prefix}dir/{name}")
    assert os.listdir(project / "dir") == [name]  # noqa: PTH208 - the names alone


@pytest.mark.parametrize(
    "path",
    ["/Projects/other/dir/file", "hdfs://nn:1/Projects/other/dir/file"],
)
def test_path_in_another_project(tmp_path: Path, path: str) -> None:
    """A path that names another project is in that one."""
    hdfs.dump("x", path)
    there = hdfs.project_path("other") + "dir/file"
    assert there == f"{tmp_path}/home/hops/other/dir/file"
    assert Path(there).read_bytes() == hdfs.load(there) == b"x"
    assert hdfs.exists("dir/file", project="other")
    assert not hdfs.exists("dir/file")


@pytest.mark.parametrize(
    "path",
    ["s3://bucket/a", "file:///etc/passwd", "s3a+x://b/Projects/demo/a", "x-y.z://a"],
)
def test_other_schemes_are_errors(path: str) -> None:
    """A URL of something else is not silently taken for a name in the project."""
    with pytest.raises(PathError, match=r"hdfs:// or hopsfs:// was expected"):
        hdfs.exists(path)


@pytest.mark.parametrize("path", ["hdfs://nn:1/user/ada", "hdfs:///", "hdfs://", "hopsfs://nn"])
def test_urls_outside_the_projects_are_errors(path: str) -> None:
    """HDFS outside `/Projects` belongs to no project."""
    with pytest.raises(PathError, match="is in no project"):
        hdfs.exists(path)


@pytest.mark.parametrize("path", ["/Projects", "/Projects/", "hdfs://nn:1/Projects/", "~/hops"])
def test_directory_of_all_projects_is_an_error(path: str) -> None:
    """What holds the projects is in none of them."""
    with pytest.raises(PathError, match="holds the projects"):
        hdfs.exists(os.path.expanduser(path))  # noqa: PTH111 - a string is what is tested


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "a/../../b",
        "/../etc/passwd",
        "/Projects/demo/../other/file",
        "hdfs:///Projects/demo/../other/file",
        "/Projects/../etc/passwd",
    ],
)
def test_no_path_leaves_its_project(path: str) -> None:
    """Two dots lead out of no project, in no form of a path."""
    with pytest.raises(PathError):
        hdfs.load(path)


def test_full_path_does_not_leave_the_project(project: Path) -> None:
    """Nor do they from the full path of the root."""
    with pytest.raises(PathError, match="leaves the project"):
        hdfs.load(f"{project}/../secret")


def test_names_of_unfinished_files_are_refused() -> None:
    """A file that no listing would show cannot be made by accident."""
    with pytest.raises(PathError, match="unfinished"):
        hdfs.dump("x", "dir/.tmp-hops-mine")


def test_abs_path_must_exist() -> None:
    """The full form is given of what is there only."""
    with pytest.raises(PathNotFoundError, match="'a/missing'"):
        hdfs.abs_path("a/missing")


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("hdfs://10.0.2.15:8020/Projects/demo/a", "/Projects/demo/a"),
        ("hopsfs:///Projects/demo/a", "/Projects/demo/a"),
        ("/Projects/demo/a", "/Projects/demo/a"),
        ("/home/ada/hops/demo/a", "/home/ada/hops/demo/a"),
    ],
)
def test_get_plain_path(path: str, plain: str) -> None:
    """Scheme and address go, the rest stays."""
    assert hdfs.get_plain_path(path) == plain


def test_address_with_host_name() -> None:
    """Any address is left out, not only four numbers."""
    url = "hopsfs://rpc.namenode.service.consul:8020/Projects/demo/a://b"
    assert without_address(url) == "hopsfs:///Projects/demo/a://b"
    assert without_address("/home/ada") == "/home/ada"
