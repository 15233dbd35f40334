"""What the contract tests do with the repository: run commands, build distributions."""

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest


class Built(NamedTuple):
    """The two files that one distribution is published as."""

    wheel: Path
    sdist: Path

    @property
    def wheel_files(self) -> dict[str, bytes]:
        """Name in the wheel to content."""
        with zipfile.ZipFile(self.wheel) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    @property
    def sdist_files(self) -> list[str]:
        """Names in the sdist, below its one top folder."""
        with tarfile.open(self.sdist) as archive:
            files = [member.name for member in archive.getmembers() if member.isfile()]
        return [name.partition("/")[2] for name in files]


def build(folder: Path, target: Path) -> Built:
    """Build the distribution of *folder* into the empty folder *target*, with this hatchling."""
    run([sys.executable, "-m", "hatchling", "build", "--directory", target], cwd=folder)
    [wheel], [sdist] = target.glob("*.whl"), target.glob("*.tar.gz")
    return Built(wheel, sdist)


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 600,
) -> str:
    """Return the output of *command*; where it fails, fail the test with all that it said."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=env,
        timeout=timeout_s,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.fail(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}", pytrace=False)
    return done.stdout


def empty_environment(home: Path) -> dict[str, str]:
    """Return the environment of a user who has set nothing; *home* also holds the project."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return kept | {"HOME": str(home), "HOPS_PROJECT_DIR": str(home / "project")}
