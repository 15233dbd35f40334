import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest

from driving import PATIENCE_S, until
from hops import experiment
from hops.core import MissingDependencyError, SettingsError, environment
from hops.experiment.driver.agents import open_door

AGENT = [sys.executable, "-P", "-m", "hops.experiment.worker.agent"]


def test_an_engine_that_is_not_installed_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, project: Path
) -> None:
    """Where pyspark is missing, the extra that brings it is named, and nothing was begun."""
    monkeypatch.setitem(sys.modules, "pyspark", None)

    with pytest.raises(MissingDependencyError, match="'pyspark") as caught:
        experiment.launch(print, engine="spark")
    assert caught.value.hint == "pip install 'hops-experiment[spark]'"
    assert not project.exists()


@pytest.mark.parametrize("chosen_by", ["argument", "variable"])
def test_an_engine_that_there_is_not_is_refused(
    monkeypatch: pytest.MonkeyPatch, project: Path, chosen_by: str
) -> None:
    """The message says which there are; nothing was begun."""
    monkeypatch.setenv(environment.HOPS_ENGINE, "ray" if chosen_by == "variable" else "")

    with pytest.raises(SettingsError, match="'ray'; this release has 'inline', 'local', 'spark'"):
        experiment.launch(print, engine="ray" if chosen_by == "argument" else None)
    assert not project.exists()


@pytest.fixture
def agent() -> Iterator["subprocess.Popen[bytes]"]:
    """Return an agent that has been told nothing yet."""
    process = subprocess.Popen(AGENT, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    yield process
    process.kill()
    process.wait()
    pipe_of(process).close()


def pipe_of(process: "subprocess.Popen[bytes]") -> IO[bytes]:
    """Return the standard input of *process*."""
    assert process.stdin is not None
    return process.stdin


def children(pid: int) -> list[int]:
    """Return the processes that *pid* has started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            _, parent = entry.read_text().rpartition(") ")[2].split()[:2]
            if int(parent) == pid:
                found.append(int(entry.parent.name))
    return found


def knows(pid: int, secret: bytes) -> bool:
    """Whether *secret* is in the memory of a process, where its environment is too."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            extent, access = line.split()[:2]
            begin, end = (int(part, 16) for part in extent.split("-"))
            if access.startswith("rw"):
                with suppress(OSError):  # a device's
                    memory.seek(begin)
                    if secret in memory.read(end - begin):
                        return True
    return False


def test_no_trial_can_know_the_token(agent: "subprocess.Popen[bytes]") -> None:
    """What all trials are forked from is there before the agent is told the run's secret."""
    until(lambda: children(agent.pid))
    (nursery,) = children(agent.pid)  # and nothing has been written to the agent yet

    door = open_door("127.0.0.1")  # where nobody answers
    with door.listener:
        token = door.invitation.token
        invitation = {**door.invitation._asdict(), "token": token.hex(), "agent": "x"}
        pipe_of(agent).write(json.dumps(invitation).encode() + b"\n")
        pipe_of(agent).flush()
        door.listener.settimeout(PATIENCE_S)
        connection, _ = door.listener.accept()
        with connection:
            assert knows(agent.pid, token)
            assert knows(agent.pid, token.hex().encode())
            assert not knows(nursery, token)
            assert not knows(nursery, token.hex().encode())
            assert children(agent.pid) == [nursery]
