"""The public surface: what `__all__` of each package folder names, no more and no less."""

import ast
import importlib
import inspect
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sphinx.util.inventory import InventoryFile

from repository import LIBRARIES, MODULES, ROOT
from workshop import run

PACKAGES = [package for each in LIBRARIES for package in each.packages]

each_package = pytest.mark.parametrize("package", PACKAGES)


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What the reference documents: the index of the documentation, built without a warning."""
    target = tmp_path_factory.mktemp("docs")
    make_html(target)
    inventory = InventoryFile.loads((target / "html/objects.inv").read_bytes(), uri="")
    domains = inventory.data.items()
    return {name for kind, names in domains if kind.startswith("py:") for name in names}


def make_html(target: Path) -> None:
    """Do as `cd docs; make html`, but into the folder *target*; where make is missing, do its work.

    A fresh folder: Sphinx says nothing about pages that it has read before.
    """
    recipe = (ROOT / "docs/Makefile").read_text().rpartition("\t@")[2]
    by_hand = shlex.split(recipe.replace("$@", "html").replace("$(BUILD)", str(target)))
    command = ["make", "html", f"BUILD={target}"] if shutil.which("make") else by_hand
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    run(command, cwd=ROOT / "docs", env={**os.environ, "PATH": programs})


def defined(module: ast.Module) -> Iterator[str]:
    """Yield the names that *module* itself gives a meaning."""
    for node in module.body:
        match node:
            case ast.FunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Assign() | ast.AnnAssign():
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                yield from (target.id for target in targets if isinstance(target, ast.Name))


def passed_on(module: ast.Module) -> Iterator[str]:
    """Yield the names that *module* imports from modules of ours, and does not use itself."""
    used = {node.id for node in ast.walk(module) if isinstance(node, ast.Name)}
    for node in module.body:
        if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "hops":
            names = {alias.asname or alias.name for alias in node.names}
            yield from names - used


@each_package
def test_all_names_exactly_what_is_public(package: str) -> None:
    """`__all__` names what the package defines or passes on, each once; ruff keeps it sorted."""
    content = importlib.import_module(package)
    module = ast.parse(inspect.getsource(content))
    public = {name for name in [*defined(module), *passed_on(module)] if not name.startswith("_")}

    assert len(content.__all__) == len(set(content.__all__))
    assert set(content.__all__) == public


@pytest.mark.parametrize("module", MODULES)
def test_every_name_in_all_exists(module: str) -> None:
    """Also in modules that are no package folder."""
    content = importlib.import_module(module)

    assert [name for name in getattr(content, "__all__", ()) if not hasattr(content, name)] == []


@each_package
def test_every_public_name_has_a_docstring(package: str) -> None:
    """Classes, their public methods and properties, and functions say what they do."""
    content = importlib.import_module(package)
    described = {name: getattr(content, name) for name in content.__all__}
    classes = {name: value for name, value in described.items() if inspect.isclass(value)}
    members = {
        f"{owner}.{name}": getattr(value, name)
        for owner, value in classes.items()
        for name, member in vars(value).items()
        if not name.startswith("_") and (inspect.isroutine(member) or isinstance(member, property))
    }
    silent = [
        name
        for name, value in (described | members).items()
        if (inspect.isclass(value) or inspect.isroutine(value) or isinstance(value, property))
        and not inspect.getdoc(value)
    ]

    assert silent == []


@each_package
def test_every_public_name_is_in_the_reference(package: str, documented: set[str]) -> None:
    """The documentation, built without a warning, describes the package and each of its names."""
    names = [package, *(f"{package}.{name}" for name in importlib.import_module(package).__all__)]

    assert [name for name in names if name not in documented] == []
