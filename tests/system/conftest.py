"""What needs more rights than a user has: small file systems, other users."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hops.core import environment


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment.__all__:
        monkeypatch.delenv(getattr(environment, name), raising=False)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["/bin/mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"this machine does not let root mount: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["/bin/umount", "-l", str(disk)], check=True)
