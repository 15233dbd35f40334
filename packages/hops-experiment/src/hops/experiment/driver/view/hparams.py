"""What TensorBoard's HParams tab reads: one file per trial, one for the run.

Written with the `tensorboard` package alone, neither TensorFlow nor PyTorch is imported. The run's
file comes first in TensorBoard's eyes, so that no trial's own HParams records, such as those of
PyTorch's `add_hparams`, decide which columns there are for all.

Outputs stand under the tag `outputs/<name>`: a point that we add to a curve that the trial logged
under the same name would bend it.

Source:
    `tensorboard/plugins/hparams/plugin_data.proto` and `api.proto`; TFRecord framing.
"""

import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hops.experiment.driver.view.table import is_number, numbers
from hops.experiment.record import State
from hops.hdfs.atomic import TEMPORARY_PREFIX

if TYPE_CHECKING:
    from hops.experiment.record import Outcome

OUTPUTS = "outputs/"
"""Before the name of each output in its tag."""

_EVENTS = "events.out.tfevents."
_TRIAL_SUFFIX = ".hops.hparams"
_RUN_FILE = f"{_EVENTS}0000000000.hops.experiment.hparams"
_DISCRETE_VALUES = 100
_LARGEST = 3.4e38  # of a single precision number
_REST = 4
"""Seconds of rest for each second of work, so that a run of short trials keeps its processor."""


class Kind(Enum):
    """How the HParams tab treats a parameter's values; each is the plugin's own name."""

    BOOL = "DATA_TYPE_BOOL"
    NUMBER = "DATA_TYPE_FLOAT64"
    STRING = "DATA_TYPE_STRING"


def is_installed() -> bool:
    """Tell whether the `tensorboard` package is there; a folder of that name is no package."""
    spec = find_spec("tensorboard")
    return spec is not None and spec.origin is not None


def kind_of(values: Sequence[Any]) -> Kind:
    """Return the one kind that can show all of *values*."""
    if values and all(isinstance(item, bool) for item in values):
        return Kind.BOOL
    if values and all(map(_is_plain_number, values)):
        return Kind.NUMBER
    return Kind.STRING


def write_experiment(
    directory: Path, parameters: Mapping[str, Sequence[Any]], metrics: Sequence[str]
) -> Path:
    """Write what the run's trials have in common; an older file is replaced.

    Args:
        directory: The run's, or the root of what TensorBoard is shown.
        parameters: Values that each may have; of numbers, the ends of the range are enough.
        metrics: Names of the outputs that are numbers: no others get a column. The first stands
            first.

    Returns:
        The file.

    Raises:
        OSError: It could not be written.
    """
    api = import_module("tensorboard.plugins.hparams.api_pb2")
    experiment = api.Experiment(
        hparam_infos=[_parameter(api, name, values) for name, values in parameters.items()],
        metric_infos=[_metric(api, _text(name)) for name in metrics],
    )
    events = [_hparams_event(0.0, "EXPERIMENT_TAG", experiment=experiment)]
    return _write(directory / _RUN_FILE, events)


def write_trial(
    directory: Path,
    outcome: "Outcome",
    *,
    kinds: Mapping[str, Kind] | None = None,
    metric: str | None = None,
) -> Path:
    """Write parameters, status and outputs of a trial that ended; an older file is replaced.

    A trial without parameters gets its outputs only: it is nothing to compare.

    Args:
        directory: The trial's own.
        outcome: How it ended.
        kinds: Of the run's parameters, see `kind_of`; `None` lets each value decide.
        metric: Name of `outcome.metric`; `None` calls it `metric`.

    Returns:
        The file.

    Raises:
        OSError: It could not be written.
    """
    ended = outcome.started + outcome.seconds
    summary = import_module("tensorboard.compat.proto.summary_pb2")
    results = [
        summary.Summary.Value(tag=f"{OUTPUTS}{_text(name)}", simple_value=item)
        for name, item in finite_outputs(outcome, metric).items()
    ]
    events = [_event(ended, summary.Summary(value=results))] if results else []
    if outcome.trial.parameters:
        start, end = _session(outcome, kinds or {})
        events = [
            _hparams_event(outcome.started, "SESSION_START_INFO_TAG", session_start_info=start),
            *events,
            _hparams_event(ended, "SESSION_END_INFO_TAG", session_end_info=end),
        ]
    return _write(directory / f"{_EVENTS}{_stamp(directory, ended):010d}{_TRIAL_SUFFIX}", events)


def finite_outputs(outcome: "Outcome", metric: str | None) -> dict[str, float]:
    """Return the outputs that are numbers that TensorBoard can draw, the metric first."""
    found = numbers(outcome, metric)
    return {name: float(item) for name, item in found.items() if _is_plain_number(item)}


class HParamsWriter:
    """Writes the files of ended trials beside the run, in a thread that lives while there is work.

    Does nothing if `tensorboard` is not installed.
    """

    def __init__(
        self,
        roots: Sequence[Path],
        parameters: Mapping[str, Sequence[Any]],
        metric: str | None,
    ) -> None:
        """Prepare; nothing is written or imported.

        Args:
            roots: Directories that get the run's own file: the run's, and the mirror's.
            parameters: See `write_experiment`; where it is empty, no such file is written, and
                the HParams tab finds its columns in the trials.
            metric: Name of the output that is compared; `None` where there is none.
        """
        self._roots = tuple(roots)
        self._parameters = {name: list(values) for name, values in parameters.items()}
        self._kinds = {name: kind_of(values) for name, values in self._parameters.items()}
        self._metric = metric
        self._metrics: list[str] = []
        self._waiting: deque[tuple[Path, Outcome]] = deque()
        self._lock = threading.Lock()
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None
        self._working = False
        self._broken = False
        self._problem: str | None = None

    def add(self, directory: Path, outcome: "Outcome") -> None:
        """Let the file of *outcome* be written to *directory*; costs microseconds."""
        with self._lock:
            self._waiting.append((directory, outcome))
            if self._working:
                return
            self._working = True
            if self._thread is not None:
                self._thread.join()  # it has said that it is ending
            # Not a daemon: a program that ends without `close` still gets its files.
            self._thread = threading.Thread(target=self._work, name="hops-hparams")
            self._thread.start()

    def close(self) -> str | None:
        """Write what waits.

        Returns:
            What went wrong first, in one line; `None` if nothing did.
        """
        self._hurry.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()
        self._hurry.clear()
        return self._problem

    def _work(self) -> None:
        from time import perf_counter

        installed = is_installed()
        while (task := self._next()) is not None:
            began = perf_counter()
            if installed and not self._broken:
                self._try(*task)
            self._hurry.wait(_REST * (perf_counter() - began))

    def _next(self) -> "tuple[Path, Outcome] | None":
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._working = False
            return None

    def _try(self, directory: Path, outcome: "Outcome") -> None:
        try:
            self._learn_metrics(outcome)
            write_trial(directory, outcome, kinds=self._kinds, metric=self._metric)
        except OSError as error:  # one directory, the next may do
            self._failed(error)
        except Exception as error:  # noqa: BLE001 - told by close(): what is shown fails no run
            self._broken = True
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if self._problem is None:
            self._problem = f"HParams: {type(error).__name__}: {error}"

    def _learn_metrics(self, outcome: "Outcome") -> None:
        """Write the run's file when the first trial shows which outputs there are, or a new one."""
        new = [name for name in finite_outputs(outcome, self._metric) if name not in self._metrics]
        if new and self._parameters:
            self._metrics += new
            for root in self._roots:
                write_experiment(root, self._parameters, self._metrics)


def _is_plain_number(item: object) -> bool:
    """Tell whether *item* is a finite number, also in TensorBoard's single precision."""
    return is_number(item) and -_LARGEST <= item <= _LARGEST  # type: ignore[operator] # a number


def _text(item: object) -> str:
    """Return *item* as text that protobuf takes: no lone surrogates."""
    return str(item).encode(errors="replace").decode()


def _parameter(api: Any, name: str, values: Sequence[Any]) -> Any:  # noqa: ANN401 - protobuf
    kind = kind_of(values)
    info = api.HParamInfo(name=_text(name), type=kind.value)
    shown = list(dict.fromkeys(_text(item) for item in values))
    info.differs = len(shown) > 1
    if kind is Kind.NUMBER:
        info.domain_interval.min_value = min(values)
        info.domain_interval.max_value = max(values)
    elif kind is Kind.BOOL:
        info.domain_discrete.extend(dict.fromkeys(values))
    elif len(shown) <= _DISCRETE_VALUES:
        info.domain_discrete.extend(shown)
    return info


def _metric(api: Any, name: str) -> Any:  # noqa: ANN401 - protobuf
    return api.MetricInfo(name=api.MetricName(tag=f"{OUTPUTS}{name}"), display_name=name)


def _session(outcome: "Outcome", kinds: Mapping[str, Kind]) -> tuple[Any, Any]:
    """Return the plugin's messages of the start and the end of a trial."""
    data = import_module("tensorboard.plugins.hparams.plugin_data_pb2")
    status = import_module("tensorboard.plugins.hparams.api_pb2").Status
    start = data.SessionStartInfo(
        group_name=_text(outcome.trial.name), start_time_secs=outcome.started
    )
    for name, item in (outcome.trial.parameters or {}).items():
        kind = kinds.get(name, kind_of([item]))
        target = start.hparams[_text(name)]
        if kind is Kind.BOOL and isinstance(item, bool):
            target.bool_value = item
        elif kind is Kind.NUMBER and _is_plain_number(item):
            target.number_value = item
        else:
            target.string_value = _text(item)
    good = outcome.state is State.FINISHED
    end = data.SessionEndInfo(
        status=status.Value("STATUS_SUCCESS" if good else "STATUS_FAILURE"),
        end_time_secs=outcome.started + outcome.seconds,
    )
    return start, end


def _hparams_event(at: float, tag: str, **content: Any) -> Any:  # noqa: ANN401 - protobuf
    summary = import_module("tensorboard.compat.proto.summary_pb2")
    metadata = import_module("tensorboard.plugins.hparams.metadata")
    data = import_module("tensorboard.plugins.hparams.plugin_data_pb2")
    value = summary.Summary.Value(
        tag=getattr(metadata, tag),
        metadata=metadata.create_summary_metadata(data.HParamsPluginData(**content)),
        tensor=metadata.NULL_TENSOR,
    )
    return _event(at, summary.Summary(value=[value]))


def _event(at: float, summary: Any) -> Any:  # noqa: ANN401 - protobuf
    return import_module("tensorboard.compat.proto.event_pb2").Event(wall_time=at, summary=summary)


def _stamp(directory: Path, ended: float) -> int:
    """Return seconds since the epoch that sort behind every event file of the trial.

    TensorBoard's own reader goes through the files by name and never back.
    """
    return 1 + max([int(ended), *_stamps(directory)])


def _stamps(directory: Path) -> Iterator[int]:
    for name in [path.name for path in directory.iterdir()]:
        stamp = name.removeprefix(_EVENTS).partition(".")[0]
        if name.startswith(_EVENTS) and not name.endswith(_TRIAL_SUFFIX) and stamp.isdecimal():
            yield int(stamp)


def _write(path: Path, events: Sequence[Any]) -> Path:
    """Give *path* its name when all of it is written; not forced to the disk, it can be rebuilt."""
    event = import_module("tensorboard.compat.proto.event_pb2").Event
    writer = import_module("tensorboard.summary.writer.record_writer").RecordWriter
    version = event(wall_time=events[0].wall_time if events else 0, file_version="brain.Event:2")
    temporary = path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{path.name[len(_EVENTS) :]}")
    try:
        with temporary.open("wb") as file:
            records = writer(file)
            for each in [version, *events]:
                records.write(each.SerializeToString())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path
