import json
import math
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from hops.experiment import record
from hops.experiment.errors import FormatError

NAN, INF = math.nan, math.inf


class Scalar:
    """Looks like a number of numpy, or a tensor without dimensions."""

    shape = ()

    def __init__(self, number: object) -> None:
        self.number = number

    def item(self) -> object:
        """Return the number, as numpy and PyTorch do."""
        return self.number


class TensorFlowScalar:
    """Looks like a tensor of TensorFlow, which has no item()."""

    shape = ()

    def numpy(self) -> Scalar:
        """Return a number of numpy."""
        return Scalar(0.5)


class Broken:
    """Has no number although it looks so, as a tensor without storage."""

    shape = ()

    def item(self) -> object:
        """Refuse."""
        raise RuntimeError


def strict(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Decode JSON as other programs do, which know no NaN."""

    def refuse(name: str) -> None:
        raise AssertionError(name)

    return json.loads(data, parse_constant=refuse)


def parts(name: str) -> list[tuple[str, str]]:
    """Read the name of a trial's directory back."""
    pairs = (pair.split("=") for pair in name.split("&"))
    return [
        (unquote(key, errors="surrogatepass"), unquote(value, errors="surrogatepass"))
        for key, value in pairs
    ]


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"a": 1, "b": 5}, "a=1&b=5"),
        ({"b": 5, "a": 1}, "b=5&a=1"),
        ({"lr": 0.1, "drop": True, "seed": None}, "lr=0.1&drop=True&seed=None"),
        ({"lr": -1e-05}, "lr=-1e-05"),
        ({"layers": [1, 2]}, "layers=[1,%202]"),
        ({"a": "x=1&b=2"}, "a=x%3D1%26b%3D2"),
        ({"path": "/data/a b"}, "path=%2Fdata%2Fa%20b"),
        ({"share": "10%"}, "share=10%25"),
        ({"a": ""}, "a="),
        ({"a": ".."}, "a=.."),
        ({"name": "Ä"}, "name=%C3%84"),
        ({"a": "x~2"}, "a=x%7E2"),
        ({"a": len, "b": dict, "c": strict}, "a=len&b=dict&c=strict"),
        ({}, ""),
    ],
)
def test_a_trial_is_named_by_its_parameters(parameters: dict[str, Any], name: str) -> None:
    """Names and values are in order; what would be read as a separator is encoded."""
    assert record.trial_name(parameters) == name


@pytest.mark.parametrize(
    "value",
    ["a/b", "../..", ".", "", " ", "a\0b", "a\nb", "a\\b", "~", "=&%", "%3D", "'\"*?<>|:", "日本",
     "🙂", "\ud800", "\t\r\x7f"],
)  # fmt: skip
def test_every_name_is_one_safe_file_name(tmp_path: Path, value: str) -> None:
    """Any text makes a directory of its own here, in plain ASCII, and can be read back."""
    name = record.trial_name({value: value, "x": value})

    (tmp_path / name).mkdir()
    assert [found.name for found in tmp_path.iterdir()] == [name]
    assert name.isascii()
    assert name.isprintable()
    assert parts(name) == [(value, value), ("x", value)]


def test_a_long_name_is_cut_and_still_its_own() -> None:
    """Values that differ only at the end of a long text have different names, within the limit."""
    names = {record.trial_name({"text": "ü" * 1000 + end}) for end in "abc"}

    assert len(names) == 3
    assert {len(name.encode()) for name in names} == {record.NAME_BYTES}
    assert all(name.startswith("text=%C3%BC") for name in names)
    assert record.trial_name({"a": "x" * (record.NAME_BYTES - 2)}) == f"a={'x' * 198}"


def test_equal_names_are_numbered() -> None:
    """A name that is in use gets a number, which no value can look like."""
    taken: set[str] = set()
    for value in (1, "1", "1~2", 1.0, 1):
        taken.add(record.trial_name({"a": value}, taken))

    assert taken == {"a=1", "a=1~2", "a=1%7E2", "a=1.0", "a=1~3"}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"a": 1, "b": [1.5, None, True]}, b'{"a": 1, "b": [1.5, null, true]}'),
        (NAN, b'"NaN"'),
        ({"a": INF, "b": [(-INF, 1.0)]}, b'{"a": "Infinity", "b": [["-Infinity", 1.0]]}'),
        ({NAN: 1, 2: INF}, b'{"NaN": 1, "2": "Infinity"}'),
        ("Ä\ud800", b'"\xc3\x84\\ud800"'),
        (None, b"null"),
    ],
)
def test_json_is_strict(value: object, written: bytes) -> None:
    """What is not finite is written as a text, so that any program can read it."""
    assert record.dumps(value) == written
    strict(written)


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1, "b": [1.5, None, True, "text"], "c": {"d": []}},
        {"a": INF, "b": [-INF, {"c": INF}]},
        {"text": "NaN in a text, and Infinity", "Infinity": 1, "more": -INF},
        {"Ä\ud800": "日本\udfff"},
        10**300,
    ],
)
def test_json_comes_back_as_it_was(value: object) -> None:
    """Reading gives the value that was written, with its infinities."""
    assert record.loads(record.dumps(value)) == value
    assert record.loads(record.dumps(value, indent=2)) == value


def test_nan_comes_back() -> None:
    """NaN is a number again when it is read, wherever it was."""
    outputs = record.loads(record.dumps({"loss": [NAN, {"deep": NAN}], "name": "NaN"}))

    assert math.isnan(outputs["loss"][0])
    assert math.isnan(outputs["loss"][1]["deep"])


def test_what_older_releases_wrote_is_read() -> None:
    """hops-util-py wrote NaN without quotes, which is no JSON."""
    outputs = record.loads(b'{"loss": NaN, "best": -Infinity}')

    assert math.isnan(outputs["loss"])
    assert outputs["best"] == -INF


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", {(1, 2): 3}, 1j, [NAN, object()]])
def test_what_json_cannot_hold_is_an_error(value: object) -> None:
    """Nothing is written by its name alone behind the caller's back."""
    with pytest.raises(TypeError):
        record.dumps(value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"a": (1, [2.5, None]), 3: True}, {"a": [1, [2.5, None]], "3": True}),
        (Scalar(3), 3),
        ([Scalar(0.5), TensorFlowScalar()], [0.5, 0.5]),
        (strict, "strict"),
        (dict, "dict"),
        (Path("data"), "data"),
        ({1}, "{1}"),
        (b"x", "b'x'"),
        (1j, "1j"),
        (b"x" * 9999, "b'" + "x" * 998),
        ("x" * 9999, "x" * 9999),
    ],
)
def test_parameters_are_shown_as_json(value: object, shown: object) -> None:
    """Numbers of other libraries are numbers, and whatever JSON has no word for is its name."""
    assert record.plain(value) == shown
    strict(record.dumps(record.plain(value)))


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (Scalar(2), 2),
        (Scalar(2.5), 2.5),
        (Scalar(number=True), True),
        (TensorFlowScalar(), 0.5),
        (Scalar("text"), None),
        (Scalar(1j), None),
        (Broken(), None),
        ([1], None),
        ("text", None),
        (object(), None),
    ],
)
def test_the_number_in_a_tensor_without_dimensions(value: object, number: object) -> None:
    """It is taken out; anything else has none, whatever it answers when asked."""
    assert record.scalar(value) == number


def test_numbers_of_numpy() -> None:
    """Scalars and arrays without dimensions are numbers; arrays are none, of any length."""
    numpy = pytest.importorskip("numpy")

    assert record.scalar(numpy.float32(0.5)) == 0.5
    assert record.scalar(numpy.int64(3)) == 3
    assert record.scalar(numpy.bool_(True)) is True  # noqa: FBT003 - a number of numpy
    assert record.scalar(numpy.array(7)) == 7
    assert record.scalar(numpy.array([7])) is None
    assert record.scalar(numpy.datetime64("2026-01-01")) is None


@pytest.mark.parametrize(
    ("value", "metric"), [(1, 1.0), (0.5, 0.5), (True, 1.0), ("0.25", 0.25), ("-inf", -INF)]
)
def test_the_metric_is_a_number(value: object, metric: float) -> None:
    """Whatever Python makes a number of is one, as it was in hops-util-py."""
    assert record.metric_of({"accuracy": value, "log": "x"}, "accuracy") == metric


def test_nan_is_a_metric() -> None:
    """It is kept, although it never wins."""
    assert math.isnan(record.metric_of({"loss": NAN}, "loss"))


@pytest.mark.parametrize("value", [None, "good", [1.0], {}, 10**400])
def test_a_metric_that_is_no_number_is_an_error(value: object) -> None:
    """The error shows what was returned instead."""
    with pytest.raises(ValueError, match=r"'loss' is .*, and not a number"):
        record.metric_of({"loss": value}, "loss")


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ({"loss": 1, "f1": 2, "log": "x"}, "returned 'loss', 'f1', and no 'metric'"),
        ({"log": "x"}, "returned nothing, and no 'metric'"),
    ],
)
def test_a_missing_metric_is_an_error(outputs: dict[str, Any], said: str) -> None:
    """The error lists what there is, without the log that we add."""
    with pytest.raises(ValueError, match=said):
        record.metric_of(outputs, "metric")


@pytest.mark.parametrize("run", [{}, {"format": 0}, {"format": record.FORMAT}])
def test_records_up_to_ours_are_read(run: dict[str, Any]) -> None:
    """Also those of hops-util-py, which have no number."""
    record.check_format(run)


@pytest.mark.parametrize("number", [record.FORMAT + 1, "1", 1.0, None])
def test_newer_records_are_refused(number: object) -> None:
    """The error says which one was found, and how to get a release that reads it."""
    with pytest.raises(FormatError, match=f"format {number!r}.*up to {record.FORMAT}") as caught:
        record.check_format({"format": number})

    assert caught.value.hint == "pip install --upgrade hops-experiment"


def test_attempts_are_below_their_run() -> None:
    """Each attempt of each trial has a directory of its own."""
    run = record.run_directory("local-1_1")

    assert run == "Experiments/local-1_1"
    assert record.attempt_directory(run, 7, 2) == "Experiments/local-1_1/.attempts/000007.2"
