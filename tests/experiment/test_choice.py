import math
from typing import Any

import pytest

from hops.experiment.driver.choice import best_of, metric_of_run
from hops.experiment.driver.plan import Plan
from hops.experiment.driver.search.listed import ListedSearch
from hops.experiment.record import Outcome, State, Trial
from hops.experiment.settings import Direction, Settings

NAN, INF = math.nan, math.inf


def ended(
    number: int,
    metric: float | None = None,
    state: State = State.FINISHED,
    outputs: dict[str, Any] | None = None,
) -> Outcome:
    """Make the end of a trial."""
    trial = Trial(number=number, name=f"a={number}", parameters={"a": number}, directory="x")
    return Outcome(trial=trial, state=state, metric=metric, outputs=outputs)


def plan(metric_key: str | None, direction: Direction | None = None) -> Plan:
    """Make a plan that differs in what matters here."""
    return Plan(
        function=print,
        search=ListedSearch([]),
        kind="EXPERIMENT",
        name="no-name",
        description=None,
        space=None,
        metric_key=metric_key,
        direction=direction,
        local_logdir=False,
        versioned_resources=(),
        settings=Settings.choose(),
    )


@pytest.mark.parametrize(
    ("metrics", "largest", "smallest"),
    [
        ([1, 3, 2], 1, 0),
        ([-3, -1, -2], 1, 0),
        ([0, 0], 0, 0),
        ([2, 1, 2, 1], 0, 1),
        ([NAN, 1, NAN], 1, 1),
        ([NAN, -INF], 1, 1),
        ([INF, 1, -INF], 0, 2),
        ([None, 5], 1, 1),
    ],
)
def test_the_best_trial(metrics: list[float | None], largest: int, smallest: int) -> None:
    """The largest or smallest number wins, of equal ones the first, and never NaN."""
    outcomes = [ended(number, metric) for number, metric in enumerate(metrics)]

    assert best_of(outcomes, Direction.MAX) is outcomes[largest]
    assert best_of(outcomes, Direction.MIN) is outcomes[smallest]


@pytest.mark.parametrize(
    "outcomes",
    [
        [],
        [ended(0, NAN), ended(1, None)],
        [ended(0, 1.0, State.FAILED), ended(1, 1.0, State.KILLED)],
    ],
)
def test_there_may_be_no_best(outcomes: list[Outcome]) -> None:
    """Nothing finished, or nothing with a number."""
    assert best_of(outcomes, Direction.MAX) is None


def test_a_launch_has_no_best() -> None:
    """Nothing is compared where there is no direction."""
    assert best_of([ended(0, 1.0)], None) is None


def test_the_metric_of_a_search_is_that_of_its_best() -> None:
    """It is `None` where there is no best."""
    search = plan("loss", Direction.MIN)

    assert metric_of_run(search, [ended(0, 2.0), ended(1, 1.0)]) == 1.0
    assert metric_of_run(search, [ended(0, None, State.FAILED)]) is None


@pytest.mark.parametrize(
    ("key", "outputs", "metric"),
    [
        (None, {"metric": 0.5, "log": "x"}, 0.5),
        (None, {"metric": None, "log": "x"}, None),
        (None, {"accuracy": 0.5, "log": "x"}, None),
        (None, {"metric": 0.5, "more": 1, "log": "x"}, None),
        ("more", {"metric": 0.5, "more": 1, "log": "x"}, 1),
        ("missing", {"metric": 0.5, "log": "x"}, None),
        ("metric", None, None),
    ],
)
def test_the_metric_of_a_launch(
    key: str | None, outputs: dict[str, Any] | None, metric: object
) -> None:
    """The output that was asked for, else the number that was returned by itself."""
    assert metric_of_run(plan(key), [ended(0, outputs=outputs)]) == metric


def test_many_launches_have_no_common_metric() -> None:
    """With `args_dict` there is none, unless it was only one."""
    outcomes = [ended(number, outputs={"metric": 1}) for number in range(2)]

    assert metric_of_run(plan(None), outcomes) is None
    assert metric_of_run(plan(None), outcomes[:1]) == 1
