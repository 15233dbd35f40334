"""What import-linter does not say: declared is used, private stays private, extras exist."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hops.hdfs.atomic import TEMPORARY_PREFIX
from repository import DISTRIBUTIONS, DOCUMENTS, LIBRARIES, ROOT, Distribution

each_library = pytest.mark.parametrize("distribution", LIBRARIES, ids=str)

# Import name to distribution, for optional packages that are not installed here.
ELSEWHERE = {"pynvml": "nvidia-ml-py"}


def imports(distribution: Distribution) -> Iterator[str]:
    """Yield what its modules import, also inside functions, as `module.name`."""
    for path in distribution.sources:
        for node in ast.walk(ast.parse((distribution.folder / "src" / path).read_bytes())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def owner(name: str) -> Distribution | None:
    """Return the distribution of ours that `hops.x.y` belongs to."""
    package = ".".join(name.split(".")[:2])
    return next((each for each in LIBRARIES if package in each.packages), None)


def declared(distribution: Distribution) -> set[str]:
    """Return the names of all it requires, with any extra."""
    extras = distribution.settings["project"].get("optional-dependencies", {})
    optional = [Requirement(text) for texts in extras.values() for text in texts]
    return {canonicalize_name(each.name) for each in [*distribution.requirements, *optional]}


@each_library
def test_imported_siblings_are_declared(distribution: Distribution) -> None:
    """Who imports a sibling requires it, directly: not through another."""
    siblings = {each for name in imports(distribution) if (each := owner(name))}

    assert siblings - {distribution} <= set(distribution.siblings)


@each_library
def test_imported_packages_are_declared(distribution: Distribution) -> None:
    """Every third-party package is a dependency or in an extra."""
    names = {name.partition(".")[0] for name in imports(distribution)}
    known = packages_distributions()
    needed = {
        canonicalize_name(ELSEWHERE.get(name, known.get(name, [name])[0]))
        for name in names - sys.stdlib_module_names - {"hops"}
    }

    assert needed <= declared(distribution)


@each_library
def test_private_stays_private(distribution: Distribution) -> None:
    """A leading underscore means: for this distribution only."""
    foreign = [name for name in imports(distribution) if owner(name) not in {None, distribution}]

    assert [name for name in foreign if re.search(r"\._(?!_)", name)] == []


def test_the_doctor_knows_unfinished_files() -> None:
    """`hops-doctor`, which imports nothing of hops, looks for the names that hops-hdfs gives."""
    script = (ROOT / "packages/hops-core/scripts/hops-doctor").read_text()

    assert f'\nUNFINISHED_PREFIX = "{TEMPORARY_PREFIX}"\n' in script


def test_extras_that_are_named_exist() -> None:
    """Every `hops-x[extra]` in a hint or a document can be installed."""
    extras = {
        each.name: set(each.settings["project"].get("optional-dependencies", ()))
        for each in DISTRIBUTIONS
    }
    sources = [each.folder / "src" / path for each in LIBRARIES for path in each.sources]
    for path in [*sources, *(ROOT / document for document in DOCUMENTS)]:
        for name, wanted in re.findall(r"\b(hops(?:-[a-z]+)?)\[([a-z,]+)\]", path.read_text()):
            assert set(wanted.split(",")) <= extras[name], f"{name}[{wanted}] in {path}"
