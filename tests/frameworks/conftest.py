"""An empty environment with a new project and without GPUs, for every test."""

import os
from pathlib import Path

import pytest

KEPT = {"PATH", "LANG", "LC_ALL", "TMPDIR", "PYTEST_CURRENT_TEST"}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the root of the project, which is not there yet."""
    for name in os.environ.keys() - KEPT:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HOPS_PROJECT_DIR", str(tmp_path / "project"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # this machine's GPUs, if it has any
    return tmp_path / "project"
