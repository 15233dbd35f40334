import io
import os
import pickle
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from hops import tensorboard
from hops.core import MissingDependencyError
from hops.experiment.context import TrialContext, current_trial
from hops.hdfs import PathNotDirectoryError, PathNotFoundError
from hops.hdfs.local import LocalStore


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A laptop project in an empty directory, and an environment that names nothing else."""
    with mock.patch.dict(os.environ, {"PATH": os.environ["PATH"]}, clear=True):
        root = tmp_path / "project"
        monkeypatch.setenv("HOPS_PROJECT_DIR", str(root))
        (root / "Experiments/run_1").mkdir(parents=True)
        yield root


def test_there_is_no_directory_outside_of_a_trial() -> None:
    """Outside of a run, `logdir()` is `None`."""
    assert tensorboard.logdir() is None


def test_a_trial_has_its_directory() -> None:
    """Inside of a trial, `logdir()` is where its event files go."""
    context = TrialContext(run_id="local_1", trial="a=1", logdir="/scratch/a")
    token = current_trial.set(context)

    assert tensorboard.logdir() == "/scratch/a"
    current_trial.reset(token)


def test_a_missing_run_is_told() -> None:
    """A path where nothing is raises the error of a missing file."""
    with pytest.raises(PathNotFoundError, match="run_2"):
        tensorboard.visualize("Experiments/run_2")


def test_a_file_is_no_run(project: Path) -> None:
    """A path of a file is refused: TensorBoard would show an empty page."""
    (project / "logfile").touch()

    with pytest.raises(PathNotDirectoryError, match="logfile"):
        tensorboard.visualize("logfile")


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without TensorBoard, the error says what to install."""
    monkeypatch.setattr("hops.experiment.driver.view.hparams.find_spec", lambda _: None)

    with pytest.raises(MissingDependencyError, match="pip install"):
        tensorboard.visualize("Experiments/run_1")


def test_what_ends_early_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When TensorBoard does not start, the error says why."""
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    (tmp_path / "tensorboard.py").write_text("raise ImportError('no numpy')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    with pytest.raises(tensorboard.TensorBoardError, match="ImportError: no numpy"):
        tensorboard.visualize("Experiments/run_1")


def _events(directory: Path) -> None:
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.summary.writer.record_writer import RecordWriter

    value = summary_pb2.Summary.Value(tag="loss", simple_value=0.5)
    directory.mkdir()
    with (directory / "events.out.tfevents.1000000000.host").open("wb") as file:
        event = event_pb2.Event(summary=summary_pb2.Summary(value=[value]))
        writer = RecordWriter(file)
        writer.write(event.SerializeToString())


def _read(url: str, path: str = "data/runs") -> str:
    with urllib.request.urlopen(f"{url}{path}", timeout=100) as answer:  # noqa: S310 - 127.0.0.1
        text: str = answer.read().decode()
        return text


def _await_run(url: str) -> None:
    deadline = time.monotonic() + 100
    while "a=1" not in _read(url):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("place", ["local", "remote"])
def test_a_finished_run_is_shown(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    """A run in the project, here or far away, is shown at the address that is printed."""
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    _events(project / "Experiments/run_1/a=1")
    if place == "remote":
        (project / "Experiments/run_1/model.bin").touch()
        monkeypatch.setattr(LocalStore, "local_path", lambda *_: None)

    url = tensorboard.visualize("Experiments/run_1")
    try:
        assert capsys.readouterr().out == f"TensorBoard: {url}\n"
        _await_run(url)
        assert type(pickle.loads(pickle.dumps(url))) is str
    finally:
        url.stop()
        url.stop()

    with pytest.raises(OSError, match="refused"):
        _read(url)


_PROGRAM = """
from hops import tensorboard
tensorboard.visualize("Experiments/run_1")
input()
"""


def test_a_dropped_address_stays_until_the_program_ends(project: Path) -> None:
    """Whoever does not keep the result can still use the printed address, and leaves nothing."""
    import subprocess

    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    _events(project / "Experiments/run_1/a=1")
    program = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with program:
        assert isinstance(program.stdout, io.TextIOBase)
        url = program.stdout.readline().removeprefix("TensorBoard: ").strip()
        _await_run(url)
        _, errors = program.communicate("\n", timeout=100)

    assert (program.returncode, errors) == (0, "")
    with pytest.raises(OSError, match="refused"):
        _read(url)
