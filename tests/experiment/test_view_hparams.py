import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from hops.experiment.driver.view import hparams
from hops.experiment.driver.view.hparams import (
    HParamsWriter,
    Kind,
    kind_of,
    write_experiment,
    write_trial,
)
from hops.experiment.record import Outcome, State, Trial

pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")

NAN = float("nan")


_BY_NUMBER: dict[str, Any] = {}


def _outcome(
    number: int = 0,
    outputs: dict[str, Any] | None = None,
    *,
    parameters: dict[str, Any] | None = _BY_NUMBER,
    state: State = State.FINISHED,
    metric: float | None = None,
) -> Outcome:
    if parameters is _BY_NUMBER:
        parameters = {"a": number}
    name = f"a={number}"
    trial = Trial(number=number, name=name, parameters=parameters, directory=f"E/r/{name}")
    return Outcome(
        trial=trial,
        state=state,
        outputs={"accuracy": 0.5} if outputs is None else outputs,
        started=1000.0,
        seconds=2.5,
        metric=metric,
    )


def _events(path: Path) -> list[Any]:
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    return list(LegacyEventFileLoader(str(path)).Load())


def _scalars(path: Path) -> dict[str, float]:
    values = [value for event in _events(path) for value in event.summary.value]
    return {value.tag: value.simple_value for value in values if value.HasField("simple_value")}


def _session(path: Path) -> Any:  # noqa: ANN401 - protobuf
    from tensorboard.plugins.hparams import metadata

    values = [value for event in _events(path) for value in event.summary.value]
    start = next(value for value in values if value.tag == metadata.SESSION_START_INFO_TAG)
    return metadata.parse_session_start_info_plugin_data(start.metadata.plugin_data.content)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2.5], Kind.NUMBER),
        ([True, False], Kind.BOOL),
        (["relu"], Kind.STRING),
        ([1, None], Kind.STRING),
        ([True, 1], Kind.STRING),
        ([0.1, NAN], Kind.STRING),
        ([10**400], Kind.STRING),
        ([[1, 2]], Kind.STRING),
        ([], Kind.STRING),
    ],
)
def test_a_parameter_has_one_kind(values: list[object], kind: Kind) -> None:
    """Values that are not all of one kind are shown as text, and so are numbers JSON lacks."""
    assert kind_of(values) is kind


def test_outputs_that_can_be_drawn_are_scalars(tmp_path: Path) -> None:
    """Every finite number is a point, the metric too; NaN, text and booleans are not."""
    outputs = {
        "loss": 2,
        "nan": NAN,
        "inf": float("inf"),
        "huge": 10**400,
        "wide": 1e39,
        "flag": True,
        "log": "output.log",
        "accuracy": "0.75",
    }

    path = write_trial(tmp_path, _outcome(outputs=outputs, metric=0.75), metric="accuracy")

    assert _scalars(path) == {"outputs/accuracy": 0.75, "outputs/loss": 2.0}


def test_parameters_are_typed(tmp_path: Path) -> None:
    """Booleans, numbers and text keep their kind; anything else is its text."""
    parameters = {"b": True, "i": 3, "f": 0.5, "s": "relu", "n": None, "l": [1], "bad": "\udcff"}

    start = _session(write_trial(tmp_path, _outcome(parameters=parameters)))

    kinds = {name: item.WhichOneof("kind") for name, item in start.hparams.items()}
    assert kinds == {
        "b": "bool_value",
        "i": "number_value",
        "f": "number_value",
        "s": "string_value",
        "n": "string_value",
        "l": "string_value",
        "bad": "string_value",
    }
    assert start.hparams["n"].string_value == "None"
    assert start.group_name == "a=0"


def test_a_mixed_parameter_is_text_in_every_trial(tmp_path: Path) -> None:
    """Where another trial's value is text, a number is text as well, or a filter would drop it."""
    start = _session(write_trial(tmp_path, _outcome(), kinds={"a": Kind.STRING}))

    assert start.hparams["a"].string_value == "0"


@pytest.mark.parametrize("parameters", [None, {}])
def test_a_trial_without_parameters_has_outputs_only(
    tmp_path: Path, parameters: dict[str, Any] | None
) -> None:
    """A run of one trial is not in the HParams tab; its outputs are points all the same."""
    path = write_trial(tmp_path, _outcome(parameters=parameters))

    tags = [value.tag for event in _events(path) for value in event.summary.value]
    assert tags == ["outputs/accuracy"]


def test_the_file_sorts_behind_the_trial_s_own(tmp_path: Path) -> None:
    """TensorBoard's own reader goes through the files by name: ours is the last."""
    for name in ("events.out.tfevents.0000001002.host.1.0", "events.out.tfevents.1999999999.h.v2"):
        (tmp_path / name).touch()

    first = write_trial(tmp_path, _outcome())
    second = write_trial(tmp_path, _outcome())

    assert first == second == max(tmp_path.iterdir())
    assert first.name == "events.out.tfevents.2000000000.hops.hparams"


def test_a_file_appears_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is given at the end; a failure leaves nothing behind."""
    monkeypatch.setattr(hparams, "_stamp", lambda *_: 1)
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))

    with pytest.raises(OSError, match="full"):
        write_trial(tmp_path, _outcome())

    assert list(tmp_path.iterdir()) == []


def test_the_run_s_file_is_replaced(tmp_path: Path) -> None:
    """Writing it again leaves one file, which holds the newest columns."""
    write_experiment(tmp_path, {"a": [1, 2]}, ["accuracy"])
    path = write_experiment(tmp_path, {"a": [1, 2]}, ["accuracy", "loss"])

    assert list(tmp_path.iterdir()) == [path]
    assert b"outputs/loss" in path.read_bytes()


def test_the_writer_writes_beside_the_run(tmp_path: Path) -> None:
    """A file per trial, one for the run in each root, and no thread left."""
    roots = [tmp_path / "run", tmp_path / "mirror"]
    directories = [tmp_path / f"a={i}" for i in range(50)]
    for directory in [*roots, *directories]:
        directory.mkdir()
    writer = HParamsWriter(roots, {"a": list(range(50))}, "accuracy")
    before = threading.active_count()
    failed = _outcome(0, {}, state=State.FAILED)
    writer.add(directories[0], failed)
    for number, directory in enumerate(directories[1:], 1):
        writer.add(directory, _outcome(number))

    assert writer.close() is None
    assert writer.close() is None
    assert threading.active_count() == before
    assert [len(list(directory.iterdir())) for directory in directories] == [1] * 50
    assert [len(list(root.iterdir())) for root in roots] == [1, 1]


def test_adding_after_a_rest_starts_again(tmp_path: Path) -> None:
    """The thread ends when nothing waits, and comes back with the next trial."""
    writer = HParamsWriter([], {}, None)
    for number in range(3):
        directory = tmp_path / str(number)
        directory.mkdir()
        writer.add(directory, _outcome(number))
        deadline = time.monotonic() + 30
        while any(thread.name == "hops-hparams" for thread in threading.enumerate()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert len(list(directory.iterdir())) == 1


def test_a_lost_directory_is_told_and_skipped(tmp_path: Path) -> None:
    """A directory that cannot be written is told at the end; the others get their files."""
    writer = HParamsWriter([], {}, None)
    writer.add(tmp_path / "gone", _outcome(0))
    writer.add(tmp_path, _outcome(1))

    problem = writer.close()

    assert problem is not None
    assert problem.startswith("HParams: FileNotFoundError: ")
    assert len(list(tmp_path.iterdir())) == 1


def test_a_broken_package_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the package itself is broken, the run goes on without."""
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.summary_pb2", None)
    writer = HParamsWriter([tmp_path], {"a": [0]}, None)
    for number in range(3):
        writer.add(tmp_path, _outcome(number))

    assert (writer.close() or "").startswith("HParams: ModuleNotFoundError: ")
    assert list(tmp_path.iterdir()) == []


_PROGRAM = """
import sys
from pathlib import Path
from hops.experiment.driver.view.hparams import HParamsWriter
from hops.experiment.record import Outcome, State, Trial
trial = Trial(number=0, name="a=1", parameters={"a": 1}, directory="E/r/a=1")
writer = HParamsWriter([Path(sys.argv[1])], {"a": [1]}, "m")
writer.add(Path(sys.argv[1]), Outcome(trial=trial, state=State.FINISHED, metric=1.0))
"""


def _run(directory: Path, program: str, **environment: str) -> str:
    command = [sys.executable, "-c", program, str(directory)]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=os.environ | environment
    )
    return done.stdout + done.stderr


def test_a_program_that_just_ends_gets_its_files(tmp_path: Path) -> None:
    """Without `close`, what waits is written before the interpreter ends."""
    assert _run(tmp_path, _PROGRAM) == ""

    assert len(list(tmp_path.iterdir())) == 2


def test_no_framework_is_imported(tmp_path: Path) -> None:
    """An installed TensorFlow stays on the disk."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/tensorflow.py").write_text("raise SystemExit('imported')\n")
    directory = tmp_path / "run"
    directory.mkdir()

    assert _run(directory, _PROGRAM, PYTHONPATH=str(tmp_path / "modules")) == ""
    assert len(list(directory.iterdir())) == 2
