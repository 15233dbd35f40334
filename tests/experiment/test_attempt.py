import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hops.experiment import record
from hops.experiment.driver.lease import Lease
from hops.experiment.driver.publisher import Publisher
from hops.experiment.record import State, Trial
from hops.experiment.worker import trial as trial_module
from hops.experiment.worker.attempt import Attempt
from hops.experiment.worker.trial import Assignment, Report
from hops.hdfs.local import LocalStore

RUN = "Experiments/run"
ATTEMPT = f"{RUN}/.attempts/000000.1"
LEASE: dict[str, Any] = {
    "name": "a=1",
    "directory": ATTEMPT,
    "kept_as": f"{RUN}/a=1",
    "hparams": {"a": 1, "b": float("inf")},
}
ENDED: dict[str, Any] = {"error": None, "traceback": None}


class RemoteStore(LocalStore):
    """A store whose files cannot be opened directly, as on a cluster."""

    __slots__ = ()

    def local_path(self, path: str) -> None:  # type: ignore[override] # as a remote one
        """Say that there is no such path."""


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Return the agent's own directory."""
    directory = tmp_path / "scratch"
    directory.mkdir()
    return directory


@pytest.fixture(params=[LocalStore, RemoteStore])
def store(request: pytest.FixtureRequest, project: Path) -> LocalStore:
    """Return the project's store, with a run in it."""
    store: LocalStore = request.param(str(project))
    store.mkdir(f"{RUN}/.attempts")
    return store


def begun(store: LocalStore, scratch: Path, **changes: object) -> Attempt:
    """Begin an attempt."""
    return Attempt(store, LEASE | changes, scratch)


def run(
    attempt: Attempt, store: LocalStore, function: Callable[[], object], **changes: object
) -> Report:
    """Run *function* as the trial of the attempt, in this process."""
    facts: dict[str, Any] = {
        "run_id": "run",
        "store": store.url,
        "metric_key": None,
        "local_logdir": False,
        "taken": [],
        "caller_directory": "/",
    }
    assignment = Assignment.of(facts | changes, LEASE, attempt.directory)
    return trial_module.run(assignment, function, None)


def tree(store: LocalStore, path: str) -> dict[str, bytes]:
    """Return the files below a directory of the store."""
    found: dict[str, bytes] = {}
    for entry in store.list(path):
        below = f"{path}/{entry.name}"
        inner = tree(store, below) if entry.is_dir else {"": store.read(below)}
        found |= {f"{entry.name}/{name}".rstrip("/"): data for name, data in inner.items()}
    return found


def test_a_trial_s_files_arrive(store: LocalStore, scratch: Path) -> None:
    """All of them, in the same places, whether the project is a directory here or not."""
    attempt = begun(store, scratch)
    attempt.output.add(b"hello\n")
    (attempt.directory / "train").mkdir()
    (attempt.directory / "train/events").write_bytes(b"e" * 100_000)
    (attempt.directory / "empty").touch()
    attempt.finish(ENDED)

    files = tree(store, ATTEMPT)
    log = files.pop("output.log")
    assert files == {
        ".hparams.json": b'{"a": 1, "b": "Infinity"}',
        "train/events": b"e" * 100_000,
        "empty": b"",
    }
    assert log.splitlines()[0].endswith(b": hello")
    assert log.splitlines()[1].endswith(b": Finished running task")
    assert list(scratch.iterdir()) == []


def test_a_whole_trial_from_its_function_to_its_place(store: LocalStore, scratch: Path) -> None:
    """The same files and outputs, whatever the store can do."""

    def train() -> dict[str, object]:
        Path("model.bin").write_bytes(b"m")
        Path("left").write_bytes(b"l")
        return {"loss": 0.5, "model": "model.bin", "odd": {1, 2}}

    attempt = begun(store, scratch)
    report = run(attempt, store, train, metric_key="loss")
    attempt.finish(report._asdict())
    kept = Trial(number=0, name="a=1", parameters={"a": 1}, directory=f"{RUN}/a=1")
    lease = Lease(kept, attempt=1, agent="x", directory=ATTEMPT, started=0.0)
    outcome = Publisher(store, "loss").publish(lease, report._asdict())

    assert (outcome.state, outcome.metric) == (State.FINISHED, 0.5)
    assert outcome.outputs == {
        "loss": 0.5,
        "model": f"{RUN}/a=1/model.bin",
        "odd": f"{RUN}/a=1/odd.pkl",
        "log": f"{RUN}/a=1/output.log",
    }
    files = tree(store, f"{RUN}/a=1")
    assert set(files) == {
        ".hparams.json", ".metric", ".outputs.json", "model.bin", "odd.pkl", "output.log",
        "work/left",
    }  # fmt: skip
    assert files[".metric"] == b"0.5"


def test_a_function_without_arguments_has_no_parameters_file(
    store: LocalStore, scratch: Path
) -> None:
    """As hops-util-py did it."""
    attempt = begun(store, scratch, hparams=None)
    attempt.finish(ENDED)

    assert set(tree(store, ATTEMPT)) == {"output.log"}


@pytest.mark.parametrize(
    ("report", "last"),
    [
        ({"error": "ValueError: boom", "traceback": "Traceback:\n  here\nValueError: boom"},
         [b"Traceback:", b"  here", b"ValueError: boom"]),
        ({"error": "killed by signal 9", "traceback": None}, [b"killed by signal 9"]),
    ],
)  # fmt: skip
def test_the_log_ends_with_what_went_wrong(
    store: LocalStore, scratch: Path, report: dict[str, Any], last: list[bytes]
) -> None:
    """The traceback, or else the error, is in the file; it is not passed on a second time."""
    attempt = begun(store, scratch)
    attempt.output.add(b"hello, no end")
    attempt.finish(report)

    said = [line.split(b": ", 1)[1] for line in tree(store, ATTEMPT)["output.log"].splitlines()]
    assert said == [b"hello, no end", *last, b"Finished running task"]
    assert attempt.output.waiting() == (["hello, no end"], 0)


def test_two_attempts_never_meet(store: LocalStore, scratch: Path) -> None:
    """A directory that is there already belongs to another attempt."""
    attempt = begun(store, scratch)
    with pytest.raises(FileExistsError):
        begun(store, scratch)

    attempt.finish(ENDED)


def test_what_is_no_file_does_not_travel(project: Path, scratch: Path) -> None:
    """Sockets, pipes and links to nowhere, that programs leave behind, fail nothing."""
    store = RemoteStore(str(project))
    attempt = begun(store, scratch, hparams=None)
    os.mkfifo(attempt.directory / "pipe")
    (attempt.directory / "nowhere").symlink_to("missing")
    (attempt.directory / "real").write_bytes(b"r")
    (attempt.directory / "link").symlink_to("real")
    here = Path.cwd()
    os.chdir(attempt.directory)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        os.chdir(here)
        attempt.finish(ENDED)

    files = tree(store, ATTEMPT)
    assert set(files) == {"output.log", "real", "link"}
    assert files["link"] == b"r"


def test_a_project_that_cannot_be_written_is_an_error(scratch: Path, project: Path) -> None:
    """The agent reports it as the failure of the trial."""
    project.parent.mkdir(parents=True, exist_ok=True)
    project.write_text("no directory")

    with pytest.raises(OSError, match="Not a directory"):
        begun(LocalStore(str(project)), scratch)


class TestTheTrialItself:
    """What the function may do to its surroundings."""

    def test_local_logdir_overwrites_nothing(self, project: Path, scratch: Path) -> None:
        """Files from TensorBoard's directory get other names where theirs are taken."""
        store = LocalStore(str(project))
        store.mkdir(f"{RUN}/.attempts")

        def train() -> str:
            Path("local_logdir/plot.png").write_text("from the logdir")
            Path("local_logdir/output.log").write_text("of the user")
            Path("plot.png").write_text("returned")
            return "plot.png"

        attempt = begun(store, scratch)
        report = run(attempt, store, train, local_logdir=True)
        attempt.finish(report._asdict())

        files = tree(store, ATTEMPT)
        assert (report.state, report.error) == ("FINISHED", None)
        assert files["plot.png"] == b"returned"
        assert files["plot_1.png"] == b"from the logdir"
        assert files["output_1.log"] == b"of the user"
        assert b"Finished running task" in files["output.log"]

    @pytest.mark.parametrize(
        ("function", "line"),
        [
            (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
            (lambda: exec("a b"), "SyntaxError: invalid syntax"),  # noqa: S102 - what a user runs
            (lambda: (_ for _ in ()).throw(ValueError("one\ntwo")), "ValueError: one"),
            (lambda: (_ for _ in ()).throw(ValueError("")), "ValueError"),
            (lambda: (_ for _ in ()).throw(SystemExit(3)), "SystemExit: 3"),
        ],
    )
    def test_an_error_is_told_in_one_line(
        self,
        store: LocalStore,
        scratch: Path,
        function: Callable[[], object],
        line: str,
    ) -> None:
        """The line with the type and what it says, and the whole traceback beside it."""
        attempt = begun(store, scratch)
        report = run(attempt, store, function)
        attempt.finish(report._asdict())

        assert (report.state, report.error) == ("FAILED", line)
        assert report.traceback is not None
        assert line in report.traceback

    def test_a_huge_error_is_cut(self, store: LocalStore, scratch: Path) -> None:
        """It must fit into one message to the driver."""

        def train() -> None:
            raise ValueError("x" * 30_000_000)

        attempt = begun(store, scratch)
        report = run(attempt, store, train)
        attempt.finish(report._asdict())

        assert len(record.dumps(report._asdict())) < 100_000
        assert report.error is not None
        assert report.error.startswith("ValueError: xxx")
