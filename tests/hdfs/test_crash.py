import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hops.hdfs.local import LocalStore

OLD, NEW = b"a" * 3_000_000, b"b" * 2_000_000
STEPS = ["os.open", "os.write", "os.fsync", "os.close", "os.replace", "os.link", "os.unlink"]

# Kills itself before, or right after, the call to one function of the operating system.
KILLED_AT_A_STEP = """
import os, signal, sys
from hops.hdfs.local import LocalStore

root, method, step, when = sys.argv[1:]
store = LocalStore(root)
call = getattr(os, step.removeprefix("os."))

def killed(*args, **kwargs):
    if when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    if step == "os.write":
        args = (args[0], args[1][:1_000_000])
    try:
        call(*args, **kwargs)
    finally:
        os.kill(os.getpid(), signal.SIGKILL)

setattr(os, step.removeprefix("os."), killed)
getattr(store, method)("dir/file", b"b" * 2_000_000)
"""

# Writes for ever, and tells after each file.
KILLED_ANY_TIME = """
import sys
from hops.hdfs.local import LocalStore

store = LocalStore(sys.argv[1])
contents = b"a" * 3_000_000, b"b" * 2_000_000
while True:
    for content in contents:
        store.publish("dir/file", content)
        print("published", flush=True)
"""


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """Return a store with one file."""
    store = LocalStore(str(tmp_path / "project"))
    store.publish("dir/file", OLD)
    return store


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", [step for step in STEPS if step != "os.link"])
def test_killed_while_publishing(store: LocalStore, step: str, when: str) -> None:
    """Wherever a writer is killed, the file is the old or the new one, and is listed alone."""
    command = [sys.executable, "-c", KILLED_AT_A_STEP, store.root, "publish", step, when]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert store.read("dir/file") in (OLD, NEW)
    assert [entry.name for entry in store.list("dir")] == ["file"]
    store.publish("dir/file", b"after")
    assert store.read("dir/file") == b"after"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", [step for step in STEPS if step != "os.replace"])
def test_killed_while_claiming(store: LocalStore, step: str, when: str) -> None:
    """Wherever a writer is killed, the file is absent or whole; if absent, another can write it."""
    store.remove("dir/file")
    command = [sys.executable, "-c", KILLED_AT_A_STEP, store.root, "put_if_absent", step, when]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert store.put_if_absent("dir/file", b"after") or store.read("dir/file") == NEW
    assert [entry.name for entry in store.list("dir")] == ["file"]


def test_killed_at_any_time(store: LocalStore) -> None:
    """A writer that is killed in full run leaves a whole file, time and again."""
    command = [sys.executable, "-c", KILLED_ANY_TIME, store.root]
    for published in range(1, 11):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(published):
                assert writer.stdout.readline() == b"published\n"
            writer.kill()
        assert store.read("dir/file") in (OLD, NEW)
        assert [entry.name for entry in store.list("dir")] == ["file"]


def test_directory_of_a_killed_writer_can_be_removed(store: LocalStore) -> None:
    """What a killed writer left does not keep an empty directory from being removed."""
    store.remove("dir/file")
    command = [sys.executable, "-c", KILLED_AT_A_STEP, store.root, "publish", "os.write", "after"]
    subprocess.run(command, check=False)
    store.remove("dir")
    assert store.list("") == []
