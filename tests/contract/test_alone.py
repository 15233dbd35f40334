"""Each distribution in an environment of its own: what it declares is all it needs.

The environments hold wheels, not the checkout, so a file that was left out of a wheel is missed.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from uv import find_uv_bin

from repository import DISTRIBUTIONS, FOREIGN, ROOT, Distribution
from workshop import Built, run

# What nobody gets without asking: each is heavy, and each has an extra.
FRAMEWORKS = {"pandas", "pyspark", "tensorboard", "tensorflow", "torch"}

# What the tests of every package may use, and what some need to build environments themselves.
TEST_TOOLS = ["pytest", "pytest-timeout"]
MORE_TEST_TOOLS = {"hops-core": ["hatchling", "uv", "hypothesis", "hops-core[testing]"]}

pytestmark = pytest.mark.timeout(600)  # downloads, and a whole test run


@dataclass(frozen=True)
class Alone:
    """An environment with one distribution, and what came with it."""

    distribution: Distribution
    python: Path
    env: Mapping[str, str]
    installed: frozenset[str]


def environment_of(python: Path) -> dict[str, str]:
    """Return this process's environment without its Python, so that nothing of it is found."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    kept.pop("VIRTUAL_ENV", None)
    return kept | {"PATH": os.pathsep.join([str(python.parent), os.defpath])}


def pip(command: str, python: Path, *arguments: str | Path) -> str:
    """Let uv do what `pip` would do in the environment of *python*."""
    return run([find_uv_bin(), "pip", command, "--python", python, *arguments], cwd=ROOT)


def make_alone(distribution: Distribution, wheels: Mapping[str, Built], folder: Path) -> Alone:
    """Install *distribution* into *folder*, its siblings from *wheels*, then the test tools."""
    run([find_uv_bin(), "venv", "--python", sys.executable, folder / "env"], cwd=ROOT)
    python = folder / "env/bin/python"
    # Constraints instead of a folder of links: nobody else's `hops-core` can be picked.
    ours = folder / "ours.txt"
    ours.write_text("".join(f"{name} @ {built.wheel.as_uri()}\n" for name, built in wheels.items()))
    pip("install", python, "--constraint", ours, distribution.name)
    listing = json.loads(pip("list", python, "--format", "json"))
    tools = TEST_TOOLS + MORE_TEST_TOOLS.get(distribution.name, [])
    pip("install", python, "--constraint", ours, *tools)
    installed = frozenset(canonicalize_name(row["name"]) for row in listing)
    return Alone(distribution, python, environment_of(python), installed)


@pytest.fixture(scope="module", params=DISTRIBUTIONS, ids=str)
def alone(
    request: pytest.FixtureRequest,
    built: Mapping[str, Built],
    tmp_path_factory: pytest.TempPathFactory,
) -> Alone:
    """Each distribution in turn, in an environment of its own."""
    return make_alone(request.param, built, tmp_path_factory.mktemp("alone"))


def test_brings_its_siblings_and_no_framework(alone: Alone) -> None:
    """`pip install hops-kafka`, or any other, pulls neither Spark nor TensorFlow nor pandas."""
    ours = {distribution.name for distribution in DISTRIBUTIONS}

    assert alone.installed & ours == {each.name for each in alone.distribution.closure}
    assert alone.installed & FRAMEWORKS == set()


def test_every_module_can_be_imported(alone: Alone, tmp_path: Path) -> None:
    """Every module imports from the wheel; `hops` itself stays a namespace without a file."""
    modules = {name for each in alone.distribution.closure for name in each.modules}
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    file = importlib.import_module(name).__file__\n"
        "    assert file.startswith(sys.prefix), file\n"
        "assert getattr(importlib.import_module('hops'), '__file__', None) is None\n"
    )
    names = sorted(modules - FOREIGN.keys())

    run([alone.python, "-I", "-c", program, *names], cwd=tmp_path, env=alone.env)


def test_its_own_tests_pass(alone: Alone, tmp_path: Path) -> None:
    """The tests of a package pass with what its users have."""
    if not alone.distribution.modules:
        return  # the meta-distribution has nothing to test
    command: list[str | Path] = [alone.python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    run(
        [*command, f"--basetemp={tmp_path / 'tests'}", alone.distribution.tests],
        cwd=ROOT,
        env=alone.env,
    )
