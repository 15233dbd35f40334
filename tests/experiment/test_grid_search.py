import json
import math
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from hops import experiment
from hops.experiment import Direction, TrialError, TrialTraceback

QUIET: dict[str, Any] = {"verbose": False, "tensorboard": False}


def test_every_combination_is_tried() -> None:
    """A grid of two by two makes four trials, each in a directory named in the function's order."""

    def train(a: int, b: int) -> int:
        return 10 * a + b

    result = experiment.grid_search(train, {"b": [1, 2], "a": [3, 4]}, **QUIET)

    names = {path.name for path in Path(result.logdir).iterdir() if path.is_dir()}
    assert names == {"a=3&b=1", "a=3&b=2", "a=4&b=1", "a=4&b=2"}
    assert Path(result.logdir, "a=4&b=2/.metric").read_text() == "42.0"
    summary = json.loads(Path(result.logdir, ".summary.json").read_text())
    assert [each["parameters"] for each in summary["combinations"]] == [
        {"a": 3, "b": 1},
        {"a": 3, "b": 2},
        {"a": 4, "b": 1},
        {"a": 4, "b": 2},
    ]


def test_the_result_is_the_best_trial() -> None:
    """The three values of hops-util-py: directory, parameters and outputs of the best."""
    best_dir, best_params, best_outputs = experiment.grid_search(
        lambda a: {"accuracy": a / 10, "other": "x"},
        {"a": [1, 3, 2]},
        optimization_key="accuracy",
        **QUIET,
    )

    assert Path(best_dir).name == "a=3"
    assert best_params == {"a": 3}
    assert best_outputs["accuracy"] == 0.3
    facts = json.loads(Path(best_dir).parent.joinpath(".experiment.json").read_text())
    assert facts["bestDir"] == f"Experiments/{Path(best_dir).parent.name}/a=3"
    assert (facts["metric"], facts["direction"]) == ("0.3", "MAX")
    assert (facts["optimizationKey"], facts["space"]) == ("accuracy", {"a": [1, 3, 2]})
    assert facts["experimentType"] == "PARALLEL_EXPERIMENTS"


@pytest.mark.parametrize(
    ("direction", "best"), [("max", -1), ("MIN", -3), (Direction.MIN, -3), (Direction.MAX, -1)]
)
def test_negative_metrics_are_ordinary(direction: str, best: int) -> None:
    """All metrics may be below zero, in either direction, named in upper or lower case."""
    result = experiment.grid_search(lambda a: a, {"a": [-2, -1, -3]}, direction, **QUIET)

    assert result.best_params == {"a": best}


@pytest.mark.parametrize("direction", ["max", "min"])
def test_nan_never_wins(direction: str) -> None:
    """A trial that returns NaN is kept, and is never the best."""
    values = [math.nan, 1.0, math.nan, 2.0]

    result = experiment.grid_search(lambda a: values[a], {"a": [0, 1, 2, 3]}, direction, **QUIET)

    assert result.best_params == {"a": 3 if direction == "max" else 1}
    assert math.isnan(result.trials[0].metric or 0)


def test_of_equally_good_trials_the_first_wins() -> None:
    """Ties go to the trial that comes first in the grid, whoever ends first."""
    result = experiment.grid_search(lambda a: 1, {"a": [5, 1, 3]}, **QUIET)  # noqa: ARG005

    assert result.best_params == {"a": 5}


def test_infinity_can_win() -> None:
    """Minus infinity is a number, even where it is the only one."""
    result = experiment.grid_search(lambda a: -math.inf * a, {"a": [1]}, **QUIET)

    assert result.best_outputs["metric"] == -math.inf


def test_a_failing_trial_is_recorded_and_loses_nothing() -> None:
    """The best of the rest is found; the failed trial's log has its traceback."""

    def train(a: int) -> int:
        if a == 2:
            message = "boom"
            raise ValueError(message)
        return a

    result = experiment.grid_search(train, {"a": [1, 2, 3]}, **QUIET)

    assert result.best_params == {"a": 3}
    assert result.trials[1].error == "ValueError: boom"
    log = Path(result.logdir, "a=2/output.log").read_text()
    assert "Traceback (most recent call last)" in log
    assert "ValueError: boom" in log
    assert not Path(result.logdir, "a=2/.outputs.json").exists()


def test_if_all_fail_the_caller_gets_the_first_error() -> None:
    """`TrialError` names the type of the first failure, and its cause is the trial's traceback."""

    def train(a: int) -> int:
        empty: dict[int, int] = {}
        return empty[a]

    with pytest.raises(TrialError, match="All 2 trials failed: KeyError: 1") as caught:
        experiment.grid_search(train, {"a": [1, 2]}, **QUIET)

    assert isinstance(caught.value.__cause__, TrialTraceback)
    assert "return empty[a]" in str(caught.value.__cause__)
    assert "output.log" in (caught.value.hint or "")


def test_if_all_are_nan_there_is_no_best() -> None:
    """A search in which every trial returned NaN ends with an error that says so."""
    with pytest.raises(TrialError, match="NaN in all"):
        experiment.grid_search(lambda a: math.nan, {"a": [1, 2]}, **QUIET)  # noqa: ARG005


def test_a_missing_metric_fails_the_trial_and_keeps_its_outputs() -> None:
    """A trial without the optimised output fails with its names; what it returned is on disk."""
    with pytest.raises(TrialError, match=r"returned 'loss', and no 'accuracy'"):
        experiment.grid_search(
            lambda a: {"loss": a}, {"a": [1]}, optimization_key="accuracy", **QUIET
        )


def test_a_number_as_text_is_compared_as_a_number() -> None:
    """What `float()` takes is a metric, as in hops-util-py."""
    result = experiment.grid_search(lambda a: {"metric": str(a)}, {"a": [9, 10]}, **QUIET)

    assert result.best_params == {"a": 10}


def test_values_that_look_alike_have_directories_of_their_own() -> None:
    """1 and "1" are two trials, and none overwrites the other."""
    result = experiment.grid_search(lambda a: len(repr(a)), {"a": [1, "1"]}, **QUIET)

    assert sorted(path.name for path in Path(result.logdir).glob("a=*")) == ["a=1", "a=1~2"]
    assert result.best_params == {"a": "1"}


def test_trials_do_not_share_a_process() -> None:
    """In the default isolation each trial has a fresh process and a clean module state."""

    def train(a: int) -> int:
        import sys

        already = hasattr(sys, "_left_behind")
        sys._left_behind = a  # type: ignore[attr-defined] # noqa: SLF001
        return 0 if already else 1

    result = experiment.grid_search(train, {"a": list(range(6))}, workers=2, **QUIET)

    assert [trial.metric for trial in result.trials] == [1.0] * 6


def test_a_trial_that_is_killed_is_run_again() -> None:
    """A process that is killed from outside costs one attempt, and its log stays."""

    def train(a: int, marker: str) -> int:
        if a == 2 and not Path(marker).exists():
            Path(marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return a

    marker = str(Path(os.environ["HOPS_PROJECT_DIR"]).parent / "killed-once")
    result = experiment.grid_search(train, {"a": [1, 2], "marker": [marker]}, **QUIET)

    assert result.best_params["a"] == 2
    assert [trial.attempts for trial in result.trials] == [1, 2]
    assert Path(result.logdir, ".attempts/000001.1/output.log").exists()


def test_a_trial_that_is_always_killed_fails() -> None:
    """The number of attempts is limited, and the error names the signal."""

    def train(a: int) -> int:
        if a == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return a

    result = experiment.grid_search(train, {"a": [1, 2]}, **QUIET)

    assert result.best_params == {"a": 2}
    assert result.trials[0].attempts == 3
    assert "SIGKILL" in (result.trials[0].error or "")


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (lambda: os._exit(3), "exit code 3"),
        (os.abort, "SIGABRT"),
        (lambda: exec("raise SystemExit('bye')"), "SystemExit: bye"),  # noqa: S102
    ],
    ids=["exit", "abort", "SystemExit"],
)
def test_a_process_that_ends_itself_has_failed(end: Any, error: str) -> None:  # noqa: ANN401
    """A function that ends its process is not run again, and the error says how it ended."""
    result = experiment.grid_search(lambda a: (a and end()) or 1, {"a": [0, 1]}, **QUIET)

    assert result.trials[1].attempts == 1
    assert error in (result.trials[1].error or "")
