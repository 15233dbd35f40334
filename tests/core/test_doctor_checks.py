"""Single checks of `hops-doctor`, for what no environment of these tests can show."""

import runpy
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PACKAGES = Path(__file__).parents[2] / "packages"
SCRIPT = PACKAGES / "hops-core" / "scripts" / "hops-doctor"


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Give the functions and tables of the script, by name."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return runpy.run_path(str(SCRIPT)).__getitem__


def test_little_room_is_a_warning(
    doctor: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Less than a GiB works, but not for long."""
    usage = shutil.disk_usage(tmp_path)._replace(free=(1 << 30) - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    check = doctor("check_directory")("project", tmp_path)

    assert check.state == "warn"
    assert "make room" in check.hint


def test_old_unfinished_files(
    doctor: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the day after, the doctor says what removes them; a directory counts once, not twice."""
    root = tmp_path / "it's a project"
    for name in ("file", "a/.tmp-hops-1-ab/.tmp-hops-1-cd", ".tmp-hops-2-ef"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60 * 60 * 24 - 10)
    assert doctor("check_unfinished")(root).state == "ok"

    monkeypatch.setattr(time, "time", lambda: now + 60 * 60 * 24 + 10)
    check = doctor("check_unfinished")(root)

    assert check.state == "warn"
    assert "2 of them older than a day: .tmp-hops-2-ef, a/.tmp-hops-1-ab" in check.message
    assert check.message.endswith("-ab")
    command = check.hint.partition("then: ")[2]
    subprocess.run(command, shell=True, check=True)  # noqa: S602 - as a user types it
    assert (root / ".tmp-hops-2-ef").exists(), "it is of today"
    subprocess.run(command.replace("-ctime +0", "-ctime 0"), shell=True, check=True)  # noqa: S602 - as above
    assert sorted(root.rglob("*")) == [root / "a", root / "file"]


def test_an_old_python(doctor: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The script itself still runs there, and says what is wrong."""
    monkeypatch.setattr(sys, "version_info", (3, 10, 4, "final", 0))

    [check] = doctor("check_python")()

    assert check.state == "FAIL"
    assert "Python 3.10.4" in check.message
    assert "3.11" in check.hint


@pytest.fixture
def spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a stand-in for pyspark on the path."""
    (tmp_path / "pyspark").mkdir()
    (tmp_path / "pyspark" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("spark")
def test_java(
    doctor: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Spark is installed, the doctor names the Java that hops would start it with."""
    program = tmp_path / "jdk" / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    (tmp_path / "jdk" / "release").write_text('JAVA_VERSION="21.0.8"\n')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))

    [check] = doctor("check_java")()

    assert (check.state, check.hint) == ("ok", None)
    assert check.message == f"Java for Spark: {tmp_path}/jdk"


@pytest.mark.usefixtures("spark")
def test_spark_without_java(doctor: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything but Spark works, so it is a warning, with what hops itself says to type."""
    facts = {"error": "Spark needs Java.", "hint": "pip install 'hops-core[java]'"}
    check_java = doctor("check_java")
    monkeypatch.setitem(check_java.__globals__, "ask", lambda _: facts)

    [check] = check_java()

    assert (check.state, check.hint) == ("warn", "pip install 'hops-core[java]'")
    assert check.message == "Spark cannot start here: Spark needs Java."


def test_java_without_spark(doctor: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but Spark needs Java, so without it a wrong one is nobody's business."""
    check_java = doctor("check_java")
    monkeypatch.setitem(check_java.__globals__, "is_present", lambda _: False)

    [check] = check_java()

    assert (check.state, check.hint) == ("ok", None)


def test_every_distribution_is_looked_at(doctor: Callable[[str], Any]) -> None:
    """The script's table is what the packages of this repository say of themselves."""
    settings = [tomllib.loads(file.read_text()) for file in PACKAGES.glob("*/pyproject.toml")]
    projects = [each["project"] for each in settings if "import-names" in each["project"]]

    assert doctor("DISTRIBUTIONS") == {
        each["name"]: tuple(sorted(each["import-names"])) for each in projects
    }


def test_every_hint_names_an_extra_that_exists(doctor: Callable[[str], Any]) -> None:
    """The extras that the script tells users to install are defined."""
    file = PACKAGES / "hops-experiment" / "pyproject.toml"
    extras = tomllib.loads(file.read_text())["project"]["optional-dependencies"]

    for hint in doctor("OPTIONAL").values():
        assert hint.removeprefix("hops-experiment[").removesuffix("]") in extras
