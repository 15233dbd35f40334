"""Importing a module of ours costs little and does nothing.

Every module is imported in an interpreter of its own, beside everything that is installed here, so
that what it loads too much is there to be loaded.
"""

import json
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from repository import FOREIGN, MODULES
from workshop import run

PROBE = Path(__file__).with_name("import_probe.py")

# Worker processes import these for every trial, so they do without what is slow in the standard
# library, too. Stand-in servers are for tests.
LIGHT = [
    name
    for name, distribution in MODULES.items()
    if distribution.name in {"hops-core", "hops-hdfs"} and ".testing" not in name
]
SLOW = {
    "asyncio",
    "ctypes",
    "email",
    "importlib.metadata",
    "logging",
    "shutil",
    "ssl",
    "tempfile",
    "uuid",
}

each_module = pytest.mark.parametrize("module", MODULES)


class Import(NamedTuple):
    """What the import of one module did."""

    loaded: set[str]
    changed: list[str]


@cache
def imported(module: str) -> Import:
    """Import *module* in a fresh interpreter."""
    answer = run([sys.executable, "-I", "-B", PROBE, module], cwd=PROBE.parent)
    found = json.loads(answer)
    return Import(set(found["loaded"]), found["changed"])


@each_module
def test_loads_the_standard_library_and_what_it_may_use(module: str) -> None:
    """No third-party package, and no sibling that its distribution does not declare."""
    loaded = imported(module).loaded - {"hops"}
    allowed = {name for each in MODULES[module].closure for name in each.packages}
    siblings = {name for name in loaded if name.startswith("hops.")}
    others = {name.partition(".")[0] for name in loaded - siblings} - sys.stdlib_module_names

    assert {".".join(name.split(".")[:2]) for name in siblings} <= allowed
    if module in FOREIGN:
        assert FOREIGN[module] in others
    else:
        assert others == set()


@pytest.mark.parametrize("module", sorted(MODULES.keys() - FOREIGN.keys()))
def test_changes_nothing(module: str) -> None:
    """No thread, file, socket, handler, filter, exit hook, and no look at the environment."""
    assert imported(module).changed == []


@each_module
def test_foreign_interfaces_are_leaves(module: str) -> None:
    """What implements a foreign interface is imported by no other module."""
    assert imported(module).loaded & FOREIGN.keys() <= {module}


@pytest.mark.parametrize("module", LIGHT)
def test_what_workers_import_is_light(module: str) -> None:
    """Core and files do without the slow parts of the standard library."""
    assert imported(module).loaded & SLOW == set()


def test_the_probe_sees_what_it_should(tmp_path: Path) -> None:
    """Each thing that a module must not do at import is found in one that does them all."""
    tmp_path.joinpath("hops_bad.py").write_text(
        "import atexit, os, socket, sys, threading, logging, warnings\n"
        "import pytest\n"
        "os.environ.get('HOME')\n"
        "os.environ['HOPS_BAD'] = '1'\n"
        "listener = socket.socket()\n"
        "open(__file__ + '.txt', 'w').close()\n"
        "logging.basicConfig()\n"
        "warnings.simplefilter('ignore')\n"
        "sys.path.append('elsewhere')\n"
        "atexit.register(print)\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    program = (
        "import sys; sys.path[:0] = sys.argv[1:3]; import import_probe as p; p.main('hops_bad')"
    )
    answer = run(
        [sys.executable, "-I", "-B", "-c", program, PROBE.parent, tmp_path], cwd=PROBE.parent
    )
    found = json.loads(answer)

    assert "pytest" in found["loaded"]
    for sign in (
        "hops_bad reads the environment: 'HOME'",
        "environment: ",
        "exit hook",
        "logging handler on <RootLogger",
        "open files: ",
        "opens ",
        "socket.__new__",
        "sys.path: ",
        "threads: ",
        "warning filters: ",
    ):
        assert any(sign in sentence for sentence in found["changed"]), sign
