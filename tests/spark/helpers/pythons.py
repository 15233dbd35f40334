"""Environments for executors, made of wheels, apart from the one of the driver."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from packaging.requirements import Requirement
from uv import find_uv_bin

from repository import DISTRIBUTIONS, ROOT, Distribution
from workshop import build, run

SAME_AS_HERE = ("cloudpickle", "scikit-learn")
"""What executors have in the version of the driver, where a test does not ask for another."""


class Pythons:
    """Makes environments, each once.

    Example:
        ::

            pythons.make("hops-experiment", "scikit-learn")
            pythons.make()  # without hops
            pythons.make("hops-experiment", "cloudpickle==3.1.1")
            pythons.make("hops-experiment", versions={"hops-experiment": "0.1.99"})

    Args:
        folder: An empty one, for wheels and environments.
        environment: Variables for the installer: those of this process, before a test empties them.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = {
            name: value
            for name, value in environment.items()
            if name != "VIRTUAL_ENV" and not name.startswith("PYTHON")
        }
        self._wheels: dict[str, Path] = {}
        self._made: dict[str, Path] = {}

    def make(self, *requirements: str, versions: Mapping[str, str] | None = None) -> Path:
        """Return the Python program of an environment that holds *requirements*.

        Args:
            requirements: As `pip install` takes them. Distributions of this repository are built
                from the checkout.
            versions: Other version numbers to build some of those with.
        """
        chosen = {each.name: (versions or {}).get(each.name, each.version) for each in _ours()}
        key = f"{sorted(requirements)} {chosen}"
        if key not in self._made:
            wheels = {each.name: self._wheel(each, chosen[each.name]) for each in _ours()}
            self._made[key] = self._install(requirements, wheels)
        return self._made[key]

    def wheels(self) -> list[Path]:
        """Return the wheels of this checkout that an experiment needs."""
        return [self._wheel(each, each.version) for each in _ours()]

    def _install(self, requirements: Sequence[str], wheels: Mapping[str, Path]) -> Path:
        folder = self._folder / f"env-{len(self._made)}"
        self._uv("venv", "--python", sys.executable, folder)
        python = folder / "bin/python"
        # Constraints instead of a folder of links: nobody else's `hops-core` can be picked.
        ours = folder / "ours.txt"
        lines = [f"{name} @ {file.as_uri()}" for name, file in wheels.items()]
        asked = {Requirement(each).name for each in requirements if "==" in each}
        lines += [f"{name}=={version(name)}" for name in SAME_AS_HERE if name not in asked]
        ours.write_text("\n".join(lines))
        if requirements:
            self._uv("pip", "install", "--python", python, "--constraint", ours, *requirements)
        return python

    def _wheel(self, distribution: Distribution, version: str) -> Path:
        name = f"{distribution.name}-{version}"
        if name not in self._wheels:
            source = self._folder / "src" / name
            shutil.copytree(
                distribution.folder, source, ignore=shutil.ignore_patterns("__pycache__")
            )
            settings = source / "pyproject.toml"
            old, new = (f'\nversion = "{each}"\n' for each in (distribution.version, version))
            settings.write_text(settings.read_text().replace(old, new))
            self._wheels[name] = build(source, self._folder / "wheels" / name).wheel
        return self._wheels[name]

    def _uv(self, *arguments: str | Path) -> None:
        run([find_uv_bin(), *arguments], cwd=ROOT, env=self._environment)


def _ours() -> list[Distribution]:
    """Return what an experiment needs."""
    [experiment] = [each for each in DISTRIBUTIONS if each.name == "hops-experiment"]
    return experiment.closure
