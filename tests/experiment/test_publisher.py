from pathlib import Path
from typing import Any

import pytest

from hops.experiment import record
from hops.experiment.driver.lease import Lease
from hops.experiment.driver.publisher import Publisher
from hops.experiment.record import State, Trial
from hops.hdfs.errors import PathNotFoundError
from hops.hdfs.local import LocalStore

RUN = "Experiments/run"
ATTEMPT = f"{RUN}/.attempts/000000.1"
GOOD: dict[str, Any] = {"state": "FINISHED", "error": None, "traceback": None, "seconds": 1.5}
FAILED: dict[str, Any] = {
    **GOOD,
    "state": "FAILED",
    "error": "ValueError: boom",
    "traceback": "Traceback",
}


class RemoteStore(LocalStore):
    """A store whose files cannot be opened directly, as on a cluster."""

    __slots__ = ()

    def local_path(self, path: str) -> None:  # type: ignore[override] # as a remote one
        """Say that there is no such path."""


@pytest.fixture(params=[LocalStore, RemoteStore])
def store(request: pytest.FixtureRequest, project: Path) -> LocalStore:
    """Return the project's store, in which an attempt has just ended."""
    store: LocalStore = request.param(str(project))
    store.publish(f"{ATTEMPT}/{record.OUTPUTS_FILE}", b'{"loss": "NaN", "f1": 0.5, "log": "x"}')
    store.publish(f"{ATTEMPT}/{record.LOG_FILE}", b"log")
    store.publish(f"{ATTEMPT}/train/events", b"e")
    return store


def lease(name: str = "a=1") -> Lease:
    """Return the lease of the attempt."""
    place = f"{RUN}/{name}" if name else RUN
    trial = Trial(number=0, name=name, parameters={"a": 1} if name else None, directory=place)
    return Lease(trial, attempt=1, agent="x", directory=ATTEMPT, started=100.0)


def names(store: LocalStore, path: str) -> list[str]:
    """Return what is in a directory."""
    return [entry.name for entry in store.list(path)]


def test_a_finished_trial_is_in_its_place(store: LocalStore) -> None:
    """With all that it wrote; the outcome has its outputs and the number that is compared."""
    outcome = Publisher(store, "f1").publish(lease(), GOOD)

    assert outcome.state is State.FINISHED
    assert outcome.outputs is not None
    assert (outcome.outputs["f1"], outcome.outputs["log"], outcome.metric) == (0.5, "x", 0.5)
    assert outcome.outputs["loss"] != outcome.outputs["loss"], "NaN is a number again"
    assert (outcome.started, outcome.seconds, outcome.attempts) == (100.0, 1.5, 1)
    assert (outcome.error, outcome.traceback) == (None, None)
    assert names(store, f"{RUN}/a=1") == [".outputs.json", "output.log", "train"]
    assert store.read(f"{RUN}/a=1/train/events") == b"e"
    assert names(store, f"{RUN}/.attempts") == []


def test_without_a_key_nothing_is_compared(store: LocalStore) -> None:
    """A launch has no metric for its trials."""
    assert Publisher(store, None).publish(lease(), GOOD).metric is None


def test_a_single_trial_shares_the_run_s_directory(store: LocalStore) -> None:
    """Its files lie beside the run's own, the outputs last."""
    store.publish(f"{RUN}/{record.RUN_FILE}", b"{}")
    moved = []
    rename = store.rename

    class Watched(type(store)):  # type: ignore[misc] # either kind of store
        """Notes what is moved."""

        __slots__ = ()

        def rename(self, source: str, target: str) -> None:
            """Note it, and do it."""
            moved.append(target)
            rename(source, target)

    outcome = Publisher(Watched(store.root), None).publish(lease(""), GOOD)

    assert outcome.state is State.FINISHED
    assert moved[-1] == f"{RUN}/{record.OUTPUTS_FILE}"
    assert names(store, RUN) == [
        ".attempts",
        ".experiment.json",
        ".outputs.json",
        "output.log",
        "train",
    ]
    assert names(store, f"{RUN}/.attempts") == []


def test_what_is_written_behind_us_does_not_count_against_the_trial(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A helper that the trial left running may still write into its directory."""
    listed = store.list(ATTEMPT)
    monkeypatch.setattr(type(store), "list", lambda *_: listed[1:])

    outcome = Publisher(store, None).publish(lease(""), GOOD)

    assert (outcome.state, outcome.error) == (State.FINISHED, None)


@pytest.mark.parametrize("name", ["a=1", ""])
def test_a_failed_trial_keeps_its_files(store: LocalStore, name: str) -> None:
    """Its log says why; there are no outputs, although there may be a file with some."""
    outcome = Publisher(store, "f1").publish(lease(name), FAILED)

    assert (outcome.state, outcome.outputs, outcome.metric) == (State.FAILED, None, None)
    assert (outcome.error, outcome.traceback) == ("ValueError: boom", "Traceback")
    assert store.read(f"{outcome.trial.directory}/output.log") == b"log"


@pytest.mark.parametrize("state", ["FAILED", "KILLED"])
@pytest.mark.parametrize("name", ["a=1", ""])
def test_an_attempt_that_never_began_has_no_files(store: LocalStore, name: str, state: str) -> None:
    """Its own error counts, and not that there is nothing to move."""
    store.remove(ATTEMPT, recursive=True)

    outcome = Publisher(store, "f1").publish(lease(name), {**FAILED, "state": state})

    assert (outcome.state, outcome.error) == (State(state), "ValueError: boom")


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        (None, "PathNotFoundError"),
        (b"{", "JSONDecodeError"),
        (b'{"loss": 1}', "no 'f1' to compare"),
        (b'{"f1": []}', "not a number"),
    ],
)
def test_a_finished_trial_without_readable_outputs_has_failed(
    store: LocalStore, outputs: bytes | None, said: str
) -> None:
    """A result that cannot be read is none."""
    store.remove(f"{ATTEMPT}/{record.OUTPUTS_FILE}")
    if outputs is not None:
        store.publish(f"{ATTEMPT}/{record.OUTPUTS_FILE}", outputs)

    outcome = Publisher(store, "f1").publish(lease(), GOOD)

    assert (outcome.state, outcome.outputs, outcome.metric) == (State.FAILED, None, None)
    assert outcome.error is not None
    assert said in outcome.error
    assert "files are lost" in outcome.error


def test_a_place_that_is_taken_is_not_overwritten(store: LocalStore) -> None:
    """Whatever is there stays, and the trial has failed."""
    store.publish(f"{RUN}/a=1/file", b"other")

    outcome = Publisher(store, None).publish(lease(), GOOD)

    assert outcome.state is State.FAILED
    assert "exists already" in (outcome.error or "")
    assert store.read(f"{RUN}/a=1/file") == b"other"
    assert store.read(f"{ATTEMPT}/output.log") == b"log"


def test_another_state_is_refused(store: LocalStore) -> None:
    """A report that we do not understand is not taken for one that we do."""
    with pytest.raises(ValueError, match="SOMETHING"):
        Publisher(store, None).publish(lease(), {**GOOD, "state": "SOMETHING"})
    with pytest.raises(PathNotFoundError):
        store.list(f"{RUN}/a=1")
