"""What every test of hops-core starts from: an empty environment, no GPU, and nothing connected."""

import os
import sys
from contextvars import Context, copy_context
from pathlib import Path

import pytest

from authority import Authority
from hops.devices import amd
from keytool import Store, make_stores

KEPT = {"PATH", "LANG", "LC_ALL", "TMPDIR", "PYTEST_CURRENT_TEST"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty the environment of all but a home directory of the test's own."""
    for name in os.environ.keys() - KEPT:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(autouse=True)
def sysfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Hide the GPUs of the machine that runs the tests; return where to put others."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
    monkeypatch.setattr(amd, "SYSFS", tmp_path / "sys")
    return tmp_path / "sys"


@pytest.fixture
def context() -> Context:
    """Give a context of its own, so that `connect` in it does not reach the next test."""
    return copy_context()


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Who certifies clients and servers of the tests."""
    return Authority("authority")


@pytest.fixture(scope="session")
def stores(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> dict[tuple[str, str], Store]:
    """A key store of each algorithm and kind, made by the real keytool."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return make_stores(tmp_path_factory.mktemp("stores"), authority)
