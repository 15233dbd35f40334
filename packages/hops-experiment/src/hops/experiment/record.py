"""What a run and its trials are on disk: the only file that knows names of files.

::

    Experiments/<run id>/
        .experiment.json    the run: name, state, versions, best; carries the format number
        .summary.json       parameters and outputs of every trial
        .attempts/<n>.<k>/  trial n while its k-th attempt runs; renamed to its place when accepted
        a=1&b=2/            a trial: .hparams.json .outputs.json .metric output.log, its files,
                            and the event files of TensorBoard
    A run of one trial has the trial's files in the run's directory itself.

Source:
    The names, and the shape of each file but `.experiment.json`, are those of hops-util-py.
"""

import json
import math
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from hops.experiment.errors import FormatError

FORMAT = 1
"""Of the run's directory; written into `.experiment.json`."""

EXPERIMENTS = "Experiments"
RUN_FILE = ".experiment.json"
SUMMARY_FILE = ".summary.json"
HPARAMS_FILE = ".hparams.json"
OUTPUTS_FILE = ".outputs.json"
METRIC_FILE = ".metric"
LOG_FILE = "output.log"
USER_LOG_FILE = "logfile"
"""Where `hops.hdfs.log` writes inside a run."""
TENSORBOARD_FILE = "TensorBoard.task0"
"""Holds the address of the run's TensorBoard while it runs."""
ATTEMPTS = ".attempts"
WORK = "work"
"""The trial's working directory inside its own; removed at the end if the trial left it empty."""

RESERVED = frozenset(
    {
        *(RUN_FILE, SUMMARY_FILE, HPARAMS_FILE, OUTPUTS_FILE, METRIC_FILE, LOG_FILE),
        *(USER_LOG_FILE, TENSORBOARD_FILE, ATTEMPTS, WORK),
    }
)
"""Names that no file of the user's may get: a run of one trial shares its directory with it."""

NAME_BYTES = 200
"""Longest directory name of a trial; file systems allow 255, and event files get suffixes."""

SHOWN_CHARACTERS = 1000
"""Longest text that a parameter is shown as which JSON has no word for, such as raw bytes."""

_SAFE = "-_.+,[]()@"
_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class State(StrEnum):
    """How a run or a trial stands."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


class Trial(NamedTuple):
    """One execution of the user's function."""

    number: int
    """From 0, in the order of the search."""
    name: str
    """The trial's directory inside the run's; empty where the run is one trial."""
    parameters: dict[str, Any] | None
    """`None` where the function is called without arguments."""
    directory: str
    """Where the finished trial is kept, relative to the project."""


class Outcome(NamedTuple):
    """How a trial ended."""

    trial: Trial
    state: State
    outputs: dict[str, Any] | None = None
    """What the function returned, with files as project-relative paths; `None` if it failed."""
    metric: float | None = None
    """The optimised output; `None` where there is none."""
    error: str | None = None
    """Type and message of the failure, in one line; `None` if it did not fail."""
    traceback: str | None = None
    started: float = 0.0
    """Seconds since the epoch."""
    seconds: float = 0.0
    attempts: int = 1


def run_directory(run_id: str) -> str:
    """Return the run's directory, relative to the project."""
    return f"{EXPERIMENTS}/{run_id}"


def attempt_directory(directory: str, number: int, attempt: int) -> str:
    """Return where an attempt of trial *number* writes until it is accepted."""
    return f"{directory}/{ATTEMPTS}/{number:06d}.{attempt}"


def trial_name(parameters: Mapping[str, Any], taken: Collection[str] = ()) -> str:
    """Name the directory of a trial: `a=1&b=5`, in the order of *parameters*.

    What is not safe in a file name, or would be read as a separator, is percent-encoded; a name
    that is too long is cut and gets `~` and a hash of the whole.

    Args:
        parameters: Names and values; a function or a class is named by its name, any other value
            by `str()`.
        taken: Names that are in use; an equal one gets `~` and a number behind it.
    """
    name = "&".join(f"{_quoted(key)}={_quoted(_label(value))}" for key, value in parameters.items())
    if len(name) > NAME_BYTES:
        import hashlib

        digest = hashlib.sha256(name.encode()).hexdigest()[:12]
        name = f"{name[: NAME_BYTES - 13]}~{digest}"
    unique, count = name, 1
    while unique in taken:
        count += 1
        unique = f"{name}~{count}"
    return unique


def _label(value: object) -> str:
    return str(getattr(value, "__name__", value))


def _quoted(value: str) -> str:
    from urllib.parse import quote

    return quote(value, safe=_SAFE, errors="surrogatepass").replace("~", "%7E")


def dumps(value: Any, *, indent: int | None = None) -> bytes:  # noqa: ANN401 - any JSON value
    """Encode strictly valid JSON: NaN and the infinities become strings of these names.

    Raises:
        TypeError: *value* holds what JSON cannot.
    """
    try:
        text = json.dumps(value, allow_nan=False, indent=indent, ensure_ascii=False)
    except ValueError:
        text = json.dumps(_finite(value), allow_nan=False, indent=indent, ensure_ascii=False)
    return text.encode("utf-8", errors="backslashreplace")


def loads(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Decode what `dumps` encoded: the strings NaN, Infinity and -Infinity become floats."""
    value = json.loads(data)
    return _restored(value) if b"NaN" in data or b"Infinity" in data else value


def _finite(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {_finite(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _restored(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, str):
        return _NON_FINITE.get(value, value)
    if isinstance(value, dict):
        return {key: _restored(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_restored(item) for item in value]
    return value


def plain(value: Any) -> Any:  # noqa: ANN401 - any value
    """Make *value* fit for JSON: numpy's and torch's numbers become numbers, the rest its name.

    For parameters, which are only shown; outputs keep what JSON cannot hold in files.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    number = scalar(value)
    return _label(value)[:SHOWN_CHARACTERS] if number is None else number


def scalar(value: Any) -> bool | float | None:  # noqa: ANN401 - any value
    """Return the number in a numpy scalar or a tensor without dimensions, else `None`."""
    try:
        if value.shape != ():
            return None
        # TensorFlow's tensors have no item(); what their numpy() returns has.
        number = (value if hasattr(value, "item") else value.numpy()).item()
    except Exception:  # noqa: BLE001 - any object's own refusal: there is no number in it
        return None
    return number if isinstance(number, bool | int | float) else None


def metric_of(outputs: Mapping[str, Any], key: str) -> float:
    """Return the optimised number among *outputs*.

    Raises:
        ValueError: There is none under *key*, or it is no number.
    """
    if key not in outputs:
        names = ", ".join(repr(name) for name in outputs if name != "log") or "nothing"
        message = f"The function returned {names}, and no {key!r} to compare the trials by."
        raise ValueError(message)
    try:
        return float(outputs[key])
    except (TypeError, ValueError, OverflowError) as error:
        message = f"The output {key!r} is {outputs[key]!r}, and not a number to compare trials by."
        raise ValueError(message) from error


def check_format(run: Mapping[str, Any]) -> None:
    """Refuse a run's record that a newer release has written.

    Raises:
        FormatError: The record's format is above `FORMAT`.
    """
    found = run.get("format", 0)  # 0: hops-util-py, which wrote none
    if not isinstance(found, int) or found > FORMAT:
        message = f"The run has format {found!r}; this release reads up to {FORMAT}."
        raise FormatError(message, hint="pip install --upgrade hops-experiment")
