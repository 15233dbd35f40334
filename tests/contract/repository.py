"""What this repository holds, found by looking: distributions, their modules, documents, files.

The contract tests ask here and name nothing themselves, so that a new package is checked as soon
as it is there.
"""

import subprocess
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Distribution:
    """One folder of `packages/`."""

    folder: Path

    def __str__(self) -> str:
        return self.name

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Its whole `pyproject.toml`."""
        return tomllib.loads((self.folder / "pyproject.toml").read_text())

    @property
    def name(self) -> str:
        """As `pip install` takes it."""
        return str(self.settings["project"]["name"])

    @property
    def version(self) -> str:
        """As its `pyproject.toml` says."""
        return str(self.settings["project"]["version"])

    @property
    def sources(self) -> list[Path]:
        """Its Python files, relative to `src`."""
        return [path for path in self.files("src") if path.suffix == ".py"]

    @property
    def modules(self) -> list[str]:
        """Dotted names of all its modules, packages included."""
        parts = (path.with_suffix("").parts for path in self.sources)
        return sorted(".".join(part for part in names if part != "__init__") for names in parts)

    @property
    def packages(self) -> list[str]:
        """What it puts directly below `hops`, as dotted names."""
        return sorted({".".join(path.parts[:2]) for path in self.files("src")})

    @property
    def requirements(self) -> list[Requirement]:
        """What every installation of it brings along; no extras."""
        return [Requirement(text) for text in self.settings["project"]["dependencies"]]

    @property
    def siblings(self) -> list["Distribution"]:
        """The distributions of this repository that it requires itself."""
        names = {requirement.name for requirement in self.requirements}
        return [other for other in DISTRIBUTIONS if other.name in names]

    @property
    def closure(self) -> list["Distribution"]:
        """Itself and the siblings that come with it, directly or not."""
        found = {self.name: self}
        for sibling in self.siblings:
            found |= {other.name: other for other in sibling.closure}
        return list(found.values())

    @property
    def tests(self) -> Path:
        """The folder of its own tests."""
        return ROOT / "tests" / self.name.removeprefix("hops-")

    def files(self, below: str = ".") -> list[Path]:
        """The files that git tracks or would track, relative to *below*, a folder of its own."""
        folder = self.folder / below
        return [ROOT.joinpath(path).relative_to(folder) for path in tracked_files(folder)]


@cache
def tracked_files(folder: Path = ROOT) -> Sequence[Path]:
    """What git tracks below *folder*, or would after `git add`; relative to the root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(
        [*command, "--", folder], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    paths = {Path(name) for name in listing.split("\0") if name}
    return sorted(path for path in paths if ROOT.joinpath(path).is_file())


DISTRIBUTIONS = [
    Distribution(path.parent) for path in sorted(ROOT.glob("packages/*/pyproject.toml"))
]
LIBRARIES = [distribution for distribution in DISTRIBUTIONS if distribution.modules]
MODULES = {name: distribution for distribution in LIBRARIES for name in distribution.modules}
DOCUMENTS = [path for path in tracked_files() if path.suffix == ".md"]

# Modules that implement somebody else's interface and so import that package at once. No other
# module of ours imports them. Name to what they import.
FOREIGN = {
    "hops.hdfs.testing": "pytest",  # test classes that another store's tests inherit
}
