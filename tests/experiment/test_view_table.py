from typing import Any

import pytest

from hops.experiment.driver.view.table import ROWS, is_better, ranked, result_table
from hops.experiment.record import Outcome, State, Trial

NAN = float("nan")


def _outcome(
    number: int,
    metric: float | None = None,
    state: State = State.FINISHED,
    parameters: dict[str, Any] | None = None,
) -> Outcome:
    given = parameters or {"a": number}
    name = "&".join(f"{key}={item}" for key, item in given.items())
    trial = Trial(number=number, name=name, parameters=given, directory=f"Experiments/r/{name}")
    outputs = None if metric is None else {"accuracy": metric, "loss": 1.5, "log": "output.log"}
    return Outcome(trial=trial, state=state, outputs=outputs, metric=metric, seconds=1.25)


@pytest.mark.parametrize(
    ("direction", "order"),
    [("MAX", [2, 0, 1, 4, 3, 5]), ("min", [1, 0, 2, 4, 3, 5]), (None, [0, 1, 2, 4, 3, 5])],
)
def test_the_best_comes_first_and_the_failed_last(direction: str | None, order: list[int]) -> None:
    """Trials without a comparable metric stand behind the others, then failed, then killed."""
    outcomes = [
        _outcome(0, 0.5),
        _outcome(1, 0.1),
        _outcome(2, 0.9),
        _outcome(3, state=State.FAILED),
        _outcome(4, NAN),
        _outcome(5, state=State.KILLED),
    ]

    assert [each.trial.number for each in ranked(outcomes[::-1], direction)] == order


def test_nan_beats_nothing() -> None:
    """A metric that is no number is never the best, and is beaten by every number."""
    assert not is_better(NAN, None, "MAX")
    assert is_better(0.0, None, "MIN")
    assert not is_better(0.5, 0.5, "MAX"), "of equals, the first stays"


def test_shared_parameters_are_columns() -> None:
    """With few parameters that all trials share, each has a column, and the metric is first."""
    outcomes = [_outcome(i, i / 3, parameters={"hidden": 2**i, "act": "relu"}) for i in range(3)]

    table = result_table(outcomes, metric_key="accuracy", direction="MAX")

    headings = [column.heading for column in table.columns]
    assert headings == ["trial", "hidden", "act", "accuracy", "loss", "state", "time"]
    assert table.rows[0] == ["3", "4", "relu", "0.66667", "1.5", "best", "1.2 s"]
    assert [column.right for column in table.columns[:3]] == [True, True, False]
    assert table.best == 0


@pytest.mark.parametrize(
    "outcomes",
    [
        [_outcome(0, 1.0, parameters={"a": 1}), _outcome(1, 1.0, parameters={"b": 1})],
        [_outcome(0, 1.0, parameters=dict.fromkeys("abcdefg", 1))],
    ],
)
def test_other_trials_have_their_names(outcomes: list[Outcome]) -> None:
    """Where parameters differ or are many, a row has the trial's name."""
    table = result_table(outcomes, metric_key="accuracy", direction=None)

    assert [column.heading for column in table.columns][:2] == ["trial", "name"]
    assert {row[1] for row in table.rows} == {each.trial.name for each in outcomes}


def test_long_tables_are_cut() -> None:
    """Thirty rows are shown, the best ones, and the others are counted."""
    outcomes = [_outcome(i, float(i)) for i in range(1000)]

    table = result_table(outcomes, metric_key="accuracy", direction="MAX")

    assert len(table.rows) == ROWS
    assert table.left_out == 1000 - ROWS
    assert table.rows[0][2] == "999"


def test_nothing_is_best_where_nothing_finished() -> None:
    """Without a metric to compare by, no trial is marked."""
    failed = [_outcome(0, state=State.FAILED), _outcome(1, NAN)]

    table = result_table(failed, metric_key="accuracy", direction="MAX")

    assert table.best is None
    assert [row[-2] for row in table.rows] == ["finished", "failed"]
    assert table.rows[0][2] == "NaN"
