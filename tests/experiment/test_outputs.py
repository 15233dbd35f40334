import math
import os
import pickle
import threading
from collections import OrderedDict
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from hops.experiment import record
from hops.experiment.worker import outputs as outputs_module
from hops.experiment.worker.outputs import Keeper, free_path, write_durably
from hops.hdfs.local import LocalStore

KEPT_AS = "Experiments/run/a=1"
LOG = f"{KEPT_AS}/output.log"


class Array:
    """Looks like an array of numpy."""

    __module__ = "numpy"
    shape = (2,)

    def __init__(self, values: list[Any]) -> None:
        self.content = values
        self.size = len(values)

    def tolist(self) -> list[Any]:
        """Return the values."""
        return self.content


class Number:
    """Looks like a number of numpy."""

    shape = ()

    def item(self) -> float:
        """Return it."""
        return 0.5


class Point(NamedTuple):
    """A tuple with names."""

    x: int
    y: int


class Stubborn:
    """Neither travels nor shows itself."""

    def __reduce__(self) -> str:
        raise TypeError("stays here")  # noqa: EM101, TRY003 - the text is all there is

    def __repr__(self) -> str:
        raise RuntimeError


class Trial:
    """The directories of a trial, and what keeps its outputs."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.directory = project / "Experiments/run/.attempts/000000.1"
        self.work = self.directory / record.WORK
        self.work.mkdir(parents=True)
        (self.directory / record.LOG_FILE).write_text("log\n")

    def keep(self, value: object) -> dict[str, Any]:
        """Keep what the function returned."""
        store = LocalStore(str(self.project))
        return Keeper(self.directory, KEPT_AS, self.work, store.url).keep(value)

    def kept(self, value: object) -> object:
        """Keep one value, and return what is written of it."""
        return self.keep({"value": value})["value"]

    def file(self, path: str) -> Path:
        """Return the file that an output names, where it is now."""
        return self.directory / Path(path).relative_to(KEPT_AS)

    def unpickled(self, value: object) -> Any:  # noqa: ANN401 - whatever was kept
        """Keep one value as a pickle, and load it."""
        kept = self.kept(value)
        assert kept == f"{KEPT_AS}/value.pkl"
        return pickle.loads(self.file(kept).read_bytes())

    @property
    def names(self) -> set[str]:
        """What is in the directory, besides what was there at the start."""
        return {path.name for path in self.directory.iterdir()} - {record.WORK, record.LOG_FILE}


@pytest.fixture
def trial(project: Path) -> Trial:
    """Return a trial whose function has just returned."""
    return Trial(project)


@pytest.mark.parametrize(
    ("value", "outputs"),
    [
        (0.5, {"metric": 0.5}),
        (3, {"metric": 3}),
        (True, {"metric": True}),
        (None, {"metric": None}),
        (Number(), {"metric": 0.5}),
        ("text", {"metric": "text"}),
        ([1, (2, "x")], {"metric": [1, [2, "x"]]}),
        ({}, {}),
        ({"a": 1, "b": 2.5}, {"a": 1, "b": 2.5}),
        ({"a": {"b": [1, {"c": None}]}}, {"a": {"b": [1, {"c": None}]}}),
        ({"a": Number(), "b": [Number()]}, {"a": 0.5, "b": [0.5]}),
        ({1: "one", None: 2, (1, 2): 3}, {"1": "one", "None": 2, "(1, 2)": 3}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        ({"a": MappingProxyType({"b": 1})}, {"a": {"b": 1}}),
        (Point(1, 2), {"metric": [1, 2]}),
        ({"a": Array([1, 2])}, {"a": [1, 2]}),
        ({"a": {"b": Array([[1], [2]])}}, {"a": {"b": [[1], [2]]}}),
        ({"a": math.inf}, {"a": math.inf}),
        ({"a": [1.0, -math.inf]}, {"a": [1.0, -math.inf]}),
    ],
)
def test_what_json_can_hold_is_written(
    trial: Trial, value: object, outputs: dict[str, Any]
) -> None:
    """Names stay, a value by itself is the metric, and nothing else is made."""
    kept = trial.keep(value)

    assert kept == {**outputs, "log": LOG}
    assert list(kept) == [*outputs, "log"]
    assert trial.names == set()
    assert record.loads(record.dumps(kept)) == kept


def test_nan_is_written(trial: Trial) -> None:
    """At any depth."""
    kept = trial.keep({"a": math.nan, "b": [Array([math.nan])]})

    assert math.isnan(kept["a"])
    assert math.isnan(kept["b"][0][0])


def test_an_output_called_log_is_the_user_s(trial: Trial) -> None:
    """We add the trial's log only where the name is free."""
    assert trial.keep({"log": 7}) == {"log": 7}


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "/", "a/b", "missing.png", "https://example.org/x", "a\0b", "x" * 5000,
     "\ud800", "7", "Experiments", "Experiments/", "Experiments/none", "Experiments/../../x",
     "/dev/null", "work", "../work", "~"],
)  # fmt: skip
def test_a_text_that_names_no_file_stays_a_text(trial: Trial, text: str) -> None:
    """Whatever it looks like."""
    assert trial.keep({"value": text, "path": Path("not/there")}) == {
        "value": text,
        "path": "not/there",
        "log": LOG,
    }
    assert trial.names == set()


def test_a_number_is_never_a_file(trial: Trial) -> None:
    """A file that happens to have its name is left alone."""
    (trial.work / "7").write_text("mine")

    assert trial.kept(7) == 7
    assert (trial.work / "7").read_text() == "mine"


@pytest.mark.parametrize("as_path", [str, Path, os.fsencode])
@pytest.mark.parametrize("absolute", [False, True])
def test_a_file_of_the_trial_is_moved(trial: Trial, as_path: Any, absolute: bool) -> None:  # noqa: ANN401, FBT001 - a parameter
    """Its name may be a text, a path or bytes; it lies beside the outputs then."""
    (trial.work / "plots").mkdir()
    (trial.work / "plots/a.png").write_text("plot")
    name = str(trial.work / "plots/a.png") if absolute else "plots/a.png"
    if as_path is os.fsencode:
        kept = trial.keep({"value": _BytesPath(name)})["value"]
    else:
        kept = trial.kept(as_path(name))

    assert kept == f"{KEPT_AS}/a.png"
    assert trial.file(kept).read_text() == "plot"
    assert not (trial.work / "plots/a.png").exists()


class _BytesPath:
    """A path that is made of bytes."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __fspath__(self) -> bytes:
        return os.fsencode(self.path)


def test_a_file_by_itself_is_the_metric(trial: Trial) -> None:
    """As any other value by itself."""
    (trial.work / "model.bin").write_text("m")

    assert trial.keep("model.bin") == {"metric": f"{KEPT_AS}/model.bin", "log": LOG}


def test_a_file_from_elsewhere_is_copied(trial: Trial, tmp_path: Path) -> None:
    """The original stays where it is."""
    original = tmp_path / "model.bin"
    original.write_text("m")

    kept = trial.kept(str(original))

    assert kept == f"{KEPT_AS}/model.bin"
    assert trial.file(kept).read_text() == original.read_text() == "m"


def test_a_file_in_the_trial_s_directory_stays(trial: Trial) -> None:
    """What was written to TensorBoard's directory is in its place already."""
    (trial.directory / "train").mkdir()
    (trial.directory / "train/events").write_text("e")

    assert trial.kept(str(trial.directory / "train/events")) == f"{KEPT_AS}/train/events"
    assert trial.kept(str(trial.directory / "train")) == f"{KEPT_AS}/train"
    assert trial.kept(str(trial.directory / record.LOG_FILE)) == LOG
    assert trial.names == {"train"}


def test_a_directory_of_the_trial_is_moved_whole(trial: Trial) -> None:
    """A checkpoint may be a directory."""
    (trial.work / "checkpoint/part").mkdir(parents=True)
    (trial.work / "checkpoint/part/weights").write_text("w")

    kept = trial.kept("checkpoint")

    assert kept == f"{KEPT_AS}/checkpoint"
    assert trial.file(f"{kept}/part/weights").read_text() == "w"
    assert not (trial.work / "checkpoint").exists()


def test_a_directory_elsewhere_is_only_a_name(trial: Trial, tmp_path: Path) -> None:
    """It may hold anything: it is not copied."""
    (tmp_path / "data").mkdir()

    assert trial.kept(str(tmp_path / "data")) == str(tmp_path / "data")
    assert trial.kept(str(trial.directory)) == str(trial.directory)
    assert trial.names == set()


def test_one_file_under_two_names_is_kept_once(trial: Trial, tmp_path: Path) -> None:
    """Each name says where it is; so it is for a file in a directory that was returned, too."""
    (trial.work / "best").mkdir()
    (trial.work / "best/model").write_text("m")
    (trial.work / "last").write_text("l")
    (tmp_path / "x").write_text("x")

    kept = trial.keep(
        {"a": "last", "b": "./last", "c": "best", "d": "best/model", "e": "best/none",
         "f": str(tmp_path / "x"), "g": str(tmp_path / "x")}
    )  # fmt: skip

    at = {name: value.removeprefix(f"{KEPT_AS}/") for name, value in kept.items()}
    assert at == {
        "a": "last", "b": "last", "c": "best", "d": "best/model", "e": "best/none",
        "f": "x", "g": "x", "log": record.LOG_FILE,
    }  # fmt: skip
    assert trial.names == {"last", "best", "x"}


def test_a_link_is_followed(trial: Trial) -> None:
    """The file is kept, under its own name."""
    (trial.work / "model-7").write_text("m")
    (trial.work / "latest").symlink_to("model-7")
    (trial.work / "nowhere").symlink_to("missing")

    kept = trial.keep({"a": "latest", "b": "nowhere"})

    assert kept["a"] == f"{KEPT_AS}/model-7"
    assert trial.file(kept["a"]).read_text() == "m"
    assert kept["b"] == "nowhere"


def test_a_project_behind_a_link_is_no_other_place(tmp_path: Path) -> None:
    """The trial's own files are recognised under both of their paths."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    trial = Trial(tmp_path / "link/project")
    for name in ("a", "b"):
        (trial.work / name).mkdir()

    kept = trial.keep(
        {"a": str(tmp_path / "real/project/x"), "b": str((trial.work / "a").resolve())}
    )

    assert kept["b"] == f"{KEPT_AS}/a"
    assert trial.kept("b") == f"{KEPT_AS}/b"
    assert os.listdir(trial.work) == []  # noqa: PTH208 - all that matters is that it is empty


def test_a_file_that_may_not_be_read_is_only_a_name(
    trial: Trial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial does not fail for a file that belongs to somebody else."""
    (tmp_path / "secret").touch()
    monkeypatch.setattr(os, "access", lambda *_: False)

    assert trial.kept(str(tmp_path / "secret")) == str(tmp_path / "secret")


@pytest.mark.parametrize("name", sorted(record.RESERVED))
def test_our_own_names_are_not_taken(trial: Trial, name: str) -> None:
    """A file that is called like one of ours gets another name, and loses nothing."""
    (trial.work / name).write_text("mine")

    kept = str(trial.kept(name))

    assert kept != f"{KEPT_AS}/{name}"
    assert trial.file(kept).read_text() == "mine"


def test_files_of_one_name_are_numbered(trial: Trial, tmp_path: Path) -> None:
    """All are kept; the part behind the first dot stays, because programs go by it."""
    for place in ("a", "b", "c"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "m.tar.gz").write_text(place)

    kept = trial.keep({place: tmp_path / place / "m.tar.gz" for place in ("a", "b", "c")})

    assert [kept[place].rsplit("/", 1)[1] for place in ("a", "b", "c")] == [
        "m.tar.gz",
        "m_1.tar.gz",
        "m_2.tar.gz",
    ]
    assert [trial.file(kept[place]).read_text() for place in ("a", "b", "c")] == ["a", "b", "c"]


def test_a_link_to_nowhere_takes_its_name(tmp_path: Path) -> None:
    """Nothing is written through it."""
    (tmp_path / "a").symlink_to("missing")

    assert free_path(tmp_path, "a") == tmp_path / "a_1"
    assert free_path(tmp_path, "b") == tmp_path / "b"


def test_a_file_of_the_project_is_copied(trial: Trial) -> None:
    """It is named as other outputs name theirs: by its place in Experiments."""
    other = trial.project / "Experiments/other/model.bin"
    other.parent.mkdir(parents=True)
    other.write_text("m")

    kept = trial.kept("Experiments/other/model.bin")

    assert kept == f"{KEPT_AS}/model.bin"
    assert trial.file(kept).read_text() == other.read_text() == "m"
    assert trial.kept("Experiments/other") == "Experiments/other"


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        b"bytes",
        1j,
        [b"x"],
        {"a": {(1, 2): 3}},
        Array([1j]),
        pytest.param(10**5000, id="huge"),
        range(3),
    ],
)
def test_what_json_cannot_hold_is_pickled(trial: Trial, value: Any) -> None:  # noqa: ANN401
    """It can be loaded again, and the outputs say from where."""
    loaded = trial.unpickled(value)

    assert type(loaded) is type(value)
    assert getattr(loaded, "content", loaded) == getattr(value, "content", value)


def test_a_large_array_is_pickled(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would make the outputs unreadable."""
    monkeypatch.setattr(outputs_module, "ARRAY_ITEMS", 3)

    assert trial.kept(Array([1, 2, 3])) == [1, 2, 3]
    assert trial.unpickled(Array([1, 2, 3, 4])).content == [1, 2, 3, 4]


def test_arrays_of_numpy(trial: Trial) -> None:
    """Small ones are lists, large ones and other types are pickled, scalars are numbers."""
    numpy = pytest.importorskip("numpy")

    kept = trial.keep(
        {
            "small": numpy.arange(3),
            "table": numpy.ones((2, 2)),
            "large": numpy.zeros(outputs_module.ARRAY_ITEMS + 1),
            "times": numpy.array(["2026-01-01"], dtype="datetime64[D]"),
            "number": numpy.float32(0.5),
            "text": numpy.str_("t"),
        }
    )

    assert (kept["small"], kept["table"]) == ([0, 1, 2], [[1.0, 1.0], [1.0, 1.0]])
    assert (kept["number"], kept["text"]) == (0.5, "t")
    assert pickle.loads(trial.file(kept["large"]).read_bytes()).size == 10_001
    assert trial.names == {"large.pkl", "times.pkl"}


def test_what_holds_itself_is_pickled(trial: Trial) -> None:
    """A list in itself has no end in JSON."""
    endless: list[Any] = [1]
    endless.append(endless)

    loaded = trial.unpickled(endless)
    assert loaded[1] is loaded


def test_names_of_pickles_are_safe(trial: Trial) -> None:
    """A key may be anything; each has its file."""
    keys = ["a/b", "..", "", "ü" * 500, ".outputs", "a b"]
    kept = trial.keep({key: {key} for key in keys})

    for key in keys:
        assert "/" not in kept[key].removeprefix(f"{KEPT_AS}/")
        assert pickle.loads(trial.file(kept[key]).read_bytes()) == {key}
    assert kept["a/b"] == f"{KEPT_AS}/a%2Fb.pkl"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (threading.Lock(), "cannot pickle '_thread.lock' object"),
        (Stubborn(), "stays here"),
        ([Stubborn()], "stays here"),
    ],
)
def test_what_cannot_be_kept_is_said(trial: Trial, value: object, said: str) -> None:
    """The trial does not fail for it; the other outputs are kept."""
    kept = trial.keep({"bad": value, "good": 1})

    assert said in kept["bad"]
    assert "not kept: TypeError" in kept["bad"]
    assert kept["good"] == 1


def test_what_is_written_durably_is_synchronised(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All of a file has been handed to the system when it is told to bring it to the disk."""
    synchronised = []

    def fsync(descriptor: int) -> None:
        synchronised.append((os.fstat(descriptor).st_ino, path.read_bytes()))

    path = tmp_path / "file"
    monkeypatch.setattr(os, "fsync", fsync)
    write_durably(path, b"1" * 100_000)

    assert synchronised == [(path.stat().st_ino, b"1" * 100_000)]
