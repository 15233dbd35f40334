"""What the tests of hops.experiment share: a project of their own, and an empty environment."""

from pathlib import Path

import pytest

from hops.core import environment


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Give the test a project directory, with no other variable of hops set."""
    for name in environment.__all__:
        monkeypatch.delenv(getattr(environment, name), raising=False)
    directory = tmp_path / "project"
    monkeypatch.setenv(environment.HOPS_PROJECT_DIR, str(directory))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return directory
