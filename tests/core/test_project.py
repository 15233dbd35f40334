import dataclasses
import getpass
import json
import os
import pickle
import subprocess
import sys
import threading
from contextvars import Context
from pathlib import Path

import pytest

from hops.core import NotOnClusterError, SettingsError
from hops.project import Platform, Project, connect, current
from hops.project.choice import find_root

CLUSTER = {"REST_ENDPOINT": "https://hopsworks:8182", "HOPSWORKS_PROJECT_ID": "119"}
OUTSIDE = {"HOPSWORKS_HOST": "hopsworks.example", "HOPSWORKS_API_KEY": "prefix.secret"}


@pytest.fixture(autouse=True)
def login(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fix who runs the tests."""
    monkeypatch.setenv("LOGNAME", "alice")


def set_all(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """Set several variables."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_nothing_set_is_the_default_laptop_project(home: Path) -> None:
    """Without any setting, a program works in `~/hops/default`."""
    assert current() == Project(
        name="default",
        id="0",
        user="default__alice",
        platform=Platform.LAPTOP,
        root=f"{home}/hops/default",
    )


def test_asking_touches_no_file(home: Path, context: Context) -> None:
    """Neither call makes a directory, not even the home directory."""
    current()
    context.run(connect, "demo")

    assert not home.exists()


def test_environment_names_the_project(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """`HOPSWORKS_PROJECT_NAME` decides name, user and directory."""
    monkeypatch.setenv("HOPSWORKS_PROJECT_NAME", "churn")

    assert current().name == "churn"
    assert current().user == "churn__alice"
    assert current().root == f"{home}/hops/churn"


def test_project_dir_is_the_root_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """`HOPS_PROJECT_DIR` is used as it is; its last part does not name the project."""
    monkeypatch.setenv("HOPS_PROJECT_DIR", "/data/churn/")

    assert current().root == "/data/churn"
    assert current().name == "default"


def test_project_dir_may_begin_with_the_home_directory(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    """A `~` that no shell expanded is expanded."""
    monkeypatch.setenv("HOPS_PROJECT_DIR", "~/mine")

    assert current().root == f"{home}/mine"


def test_two_dots_in_the_project_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """They lead where the operating system goes, also behind a symbolic link."""
    (tmp_path / "far/away").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far/away")
    monkeypatch.setenv("HOPS_PROJECT_DIR", f"/{tmp_path}/link/../mine")

    assert current().root == f"{tmp_path}/far/mine"


@pytest.mark.parametrize("directory", ["", "~/mine"])
def test_relative_home(monkeypatch: pytest.MonkeyPatch, directory: str) -> None:
    """Where the home directory is what is relative, the hint is to mend that, and it does."""
    monkeypatch.setenv("HOPS_PROJECT_DIR", directory)
    monkeypatch.setenv("HOME", "somewhere")

    with pytest.raises(SettingsError, match=r"'somewhere/.*absolute path") as caught:
        current()

    assert caught.value.hint == "export HOME=/an/absolute/directory"
    monkeypatch.setenv("HOME", "/an/absolute/directory")
    assert current().root.startswith("/an/absolute/directory/")


@pytest.mark.parametrize("directory", ["mine", "./mine", "~nobody-of-this-name/mine", "/"])
def test_project_dir_is_absolute(monkeypatch: pytest.MonkeyPatch, directory: str) -> None:
    """What would move with `os.chdir`, has no owner or is the whole disk is refused by name."""
    monkeypatch.setenv("HOPS_PROJECT_DIR", directory)

    with pytest.raises(SettingsError, match=f"{directory!r}.*\n\nHint: export HOPS_PROJECT_DIR="):
        current()


def test_empty_variables_count_as_unset(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """`HOPS_PLATFORM=` and its like in a file of settings change nothing."""
    set_all(
        monkeypatch,
        HOPS_PLATFORM="",
        HOPS_PROJECT_DIR="",
        HOPSWORKS_PROJECT_NAME="",
        HOPSWORKS_USER="",
        REST_ENDPOINT="",
    )

    assert current().root == f"{home}/hops/default"
    assert current().user == "default__alice"


def test_environment_is_read_at_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that changes between two calls changes the answer."""
    monkeypatch.setenv("HOPS_PROJECT_DIR", "/data/one")
    first = current()
    monkeypatch.setenv("HOPS_PROJECT_DIR", "/data/two")

    assert (first.root, current().root) == ("/data/one", "/data/two")


@pytest.mark.parametrize("variable", ["HADOOP_USER_NAME", "HDFS_USER"])
def test_laptop_user_ignores_hadoops(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """On a laptop these variables belong to the user's own Hadoop programs."""
    monkeypatch.setenv(variable, "spark")

    assert current().user == "default__alice"


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_user_without_an_entry_in_passwd(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """In a container the number of the user stands for a name."""

    def fail() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", fail)

    assert current().user == f"default__uid{os.getuid()}"


@pytest.mark.parametrize("platform", ["Laptop", "spark", " "])
def test_unknown_platform_lists_the_valid_ones(
    monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    """A platform that does not exist is refused with those that do."""
    monkeypatch.setenv("HOPS_PLATFORM", platform)

    with pytest.raises(SettingsError) as raised:
        current()

    assert f"HOPS_PLATFORM is {platform!r}" in str(raised.value)
    assert "'laptop', 'hopsworks', 'external'" in str(raised.value)


@pytest.mark.parametrize(
    ("variables", "sign"),
    [
        (CLUSTER, "REST_ENDPOINT and HOPSWORKS_PROJECT_ID are set"),
        (OUTSIDE, "HOPSWORKS_HOST and HOPSWORKS_API_KEY are set"),
        ({"HOPS_PLATFORM": "hopsworks"}, "HOPS_PLATFORM is set"),
        ({"HOPS_PLATFORM": "external"}, "HOPS_PLATFORM is set"),
    ],
)
def test_other_platforms_are_refused_honestly(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], sign: str
) -> None:
    """Where a cluster is asked for, nothing is done quietly on the laptop platform instead."""
    set_all(monkeypatch, **variables)

    for ask in (current, lambda: connect("demo")):
        with pytest.raises(SettingsError) as raised:
            ask()
        assert not isinstance(raised.value, NotOnClusterError)
        assert sign in str(raised.value)
        assert "HOPS_PLATFORM=laptop" in str(raised.value.hint)
        assert "secret" not in str(raised.value)


@pytest.mark.parametrize("variables", [CLUSTER, OUTSIDE])
def test_platform_variable_wins(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], home: Path
) -> None:
    """`HOPS_PLATFORM=laptop` works locally wherever the program runs."""
    set_all(monkeypatch, **variables, HOPS_PLATFORM="laptop")

    assert current().root == f"{home}/hops/default"
    assert current().id == "0"


@pytest.mark.parametrize("variable", [*CLUSTER, *OUTSIDE])
def test_one_sign_alone_is_no_cluster(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """A platform needs both of its variables."""
    monkeypatch.setenv(variable, "x")

    assert current().platform is Platform.LAPTOP


def test_connect_chooses_the_project(context: Context, home: Path) -> None:
    """After `connect`, `current` gives its project, and the environment is as it was."""
    before = dict(os.environ)

    chosen = context.run(connect, "demo")

    assert chosen.root == f"{home}/hops/demo"
    assert context.run(current) is chosen
    assert dict(os.environ) == before


def test_connect_wins_over_the_environment(
    monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    """The last `connect` decides, whatever the environment says then."""
    context.run(connect, "first")
    chosen = context.run(connect, "second")
    set_all(monkeypatch, HOPSWORKS_PROJECT_NAME="third", HOPS_PLATFORM="hopsworks")

    assert context.run(current) is chosen


def test_connect_holds_in_its_context(context: Context) -> None:
    """Outside the context of the call, nothing was chosen."""
    context.run(connect, "demo")

    assert current().name == "default"


def test_a_thread_can_take_the_project_along(context: Context) -> None:
    """A thread that runs in a copy of the context works in the project."""
    context.run(connect, "demo")
    names: list[str] = []

    thread = threading.Thread(
        target=context.copy().run, args=[lambda: names.append(current().name)]
    )
    thread.start()
    thread.join()

    assert names == ["demo"]


def test_connect_takes_the_directory_that_was_given(
    monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    """`HOPS_PROJECT_DIR` is the root of whatever project a program connects to."""
    monkeypatch.setenv("HOPS_PROJECT_DIR", "/data/mine")

    assert context.run(connect, "demo").root == "/data/mine"


def test_connect_leaves_the_directory_of_another_project(
    monkeypatch: pytest.MonkeyPatch, context: Context, home: Path
) -> None:
    """A directory that belongs to a named project is not shared with a second one."""
    set_all(monkeypatch, HOPS_PROJECT_DIR="/data/churn", HOPSWORKS_PROJECT_NAME="churn")

    assert context.run(connect, "churn").root == "/data/churn"
    assert context.run(connect, "demo").root == f"{home}/hops/demo"


def test_another_project_never_has_the_directory_of_this_one(
    monkeypatch: pytest.MonkeyPatch, context: Context, home: Path
) -> None:
    """A directory that was given without a name is the current project's alone."""
    monkeypatch.setenv("HOPS_PROJECT_DIR", "/data/mine")

    assert find_root("default") == "/data/mine"
    assert find_root("demo") == f"{home}/hops/demo"
    context.run(connect, "demo")
    assert context.run(find_root, "demo") == "/data/mine"
    assert context.run(find_root, "default") == f"{home}/hops/default"


def test_another_project_has_the_directory_that_was_given_to_it(
    monkeypatch: pytest.MonkeyPatch, context: Context
) -> None:
    """With a name, the directory stays that project's, wherever it is seen from."""
    set_all(monkeypatch, HOPS_PROJECT_DIR="/data/churn", HOPSWORKS_PROJECT_NAME="churn")
    context.run(connect, "demo")

    assert context.run(find_root, "churn") == "/data/churn"


def test_connect_with_a_host_is_refused_honestly(context: Context) -> None:
    """A host asks for a cluster; the error tells how to go on, and keeps the key to itself."""
    with pytest.raises(SettingsError, match=r"host='hopsworks\.example'") as raised:
        context.run(connect, "demo", "hopsworks.example", 443, api_key="prefix.secret")

    assert "without a host" in str(raised.value.hint)
    assert "secret" not in str(raised.value)
    assert context.run(current).name == "default"


@pytest.mark.parametrize("name", ["a", "demo", "Churn_2026", "my-project", "v1.2", "a" * 64, "7"])
def test_good_names(context: Context, name: str) -> None:
    """Letters, digits and single separators make a name."""
    assert context.run(connect, name).name == name


UNSAFE = ["", ".", "..", "../up", "a/b", "/a", ".hidden", "-rf", "~", "_a", "a_", "a__b", "a b"]


@pytest.mark.parametrize("name", [*UNSAFE, "a\n", "a\0b", "ä", "a" * 65])
def test_unsafe_names_are_refused(
    monkeypatch: pytest.MonkeyPatch, context: Context, name: str
) -> None:
    """What is no single plain directory name, or cannot be told apart from a login, is refused."""
    with pytest.raises(SettingsError, match="not a safe directory name") as raised:
        context.run(connect, name)

    assert repr(name) in str(raised.value)
    if name and "\0" not in name:
        monkeypatch.setenv("HOPSWORKS_PROJECT_NAME", name)
        with pytest.raises(SettingsError, match="not a safe directory name"):
            current()


def test_a_project_cannot_be_made_with_a_wrong_root() -> None:
    """The object itself refuses what the functions refuse."""
    for root in ("", "mine", "/", "/data/"):
        with pytest.raises(SettingsError, match="not an absolute directory"):
            dataclasses.replace(current(), root=root)


def test_a_project_is_a_value() -> None:
    """Projects compare by content, cannot be changed, and travel."""
    project = current()

    assert pickle.loads(pickle.dumps(project)) == project
    with pytest.raises(dataclasses.FrozenInstanceError):
        project.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"HOPS_PROJECT_DIR": "/data/mine"},
        {"HOPS_PROJECT_DIR": "/data/mine", "HOPSWORKS_PROJECT_NAME": "other"},
        CLUSTER | {"HOPS_PLATFORM": "laptop", "HOPSWORKS_PROJECT_NAME": "other"},
        {"HOPSWORKS_USER": "bob"},
    ],
)
def test_another_process_finds_the_same_project(
    monkeypatch: pytest.MonkeyPatch, context: Context, variables: dict[str, str]
) -> None:
    """`environment()` takes a connected project along, even to another home and login."""
    set_all(monkeypatch, **variables)
    project = context.run(connect, "demo")
    program = (
        "import dataclasses, json; from hops.project import current;"
        "print(json.dumps(dataclasses.asdict(current())))"
    )
    elsewhere = {"HOME": "/elsewhere", "LOGNAME": "carol"}

    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **elsewhere, **project.environment()},
        check=True,
        capture_output=True,
        text=True,
    )

    assert json.loads(done.stdout) == dataclasses.asdict(project)
