"""Where the programs of one test file are at home."""

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the home of a user who has set nothing; the project is made in it."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def run(output: str) -> Path:
    """Return the directory of the run, which ends the first line of a program's *output*."""
    return Path(output.partition("\n")[0].rpartition(", ")[2])
