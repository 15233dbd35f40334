import importlib.metadata
import sys
from pathlib import Path

import pytest

from hops.experiment.versions import installed_version, versions


def test_what_both_ends_must_share() -> None:
    """Python without its last number, and the releases that are installed."""
    assert versions() == {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "hops": importlib.metadata.version("hops-experiment"),
        "cloudpickle": importlib.metadata.version("cloudpickle"),
    }


def test_the_first_on_the_path_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an import: a directory further up hides the others."""
    for place, version in (("first", "2.0rc1"), ("second", "1.0")):
        (tmp_path / place / f"some_tool-{version}.dist-info").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "first"), str(tmp_path / "second")])

    assert installed_version("some-tool") == "2.0rc1"


def test_only_the_distribution_itself_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither another one that begins so, nor what is no metadata."""
    for name in ("tool_kit-1.0.dist-info", "tool-1.0", "tool", "other-1.0.dist-info"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])

    assert installed_version("tool") == "unknown"


def test_entries_that_are_no_directories_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Archives, missing directories and the current directory may be on the path."""
    (tmp_path / "archive.zip").touch()
    (tmp_path / "tool-1.0.dist-info").mkdir()
    monkeypatch.chdir(tmp_path)
    missing = [str(tmp_path / "archive.zip"), str(tmp_path / "missing")]

    monkeypatch.setattr(sys, "path", missing)
    assert installed_version("tool") == "unknown"
    monkeypatch.setattr(sys, "path", [*missing, ""])
    assert installed_version("tool") == "1.0"
