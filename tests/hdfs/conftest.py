"""An empty environment, and a project of its own, for every test."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the root of the project `demo`, which is not there yet."""
    for name in os.environ:
        if name.startswith(("HOPS", "HADOOP", "HDFS", "EXEC_LOGFILE", "REST_ENDPOINT")):
            monkeypatch.delenv(name)
    root = tmp_path / "projects" / "demo"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOPS_PROJECT_DIR", str(root))
    monkeypatch.setenv("HOPSWORKS_PROJECT_NAME", "demo")
    monkeypatch.setenv("HOPSWORKS_USER", "ada")
    return root
