"""The result table: which trials, in which order, with which columns.

What stands in it is decided here, in plain data; `screen.py` draws it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hops.experiment.driver.view.text import clean, duration, label, shorten, value
from hops.experiment.record import State

if TYPE_CHECKING:
    from hops.experiment.record import Outcome

ROWS = 30
"""Most rows that are shown; a longer table pushes what matters off the screen."""

_PARAMETER_COLUMNS = 6
_OUTPUT_COLUMNS = 4
_HEADING_CHARACTERS = 24
_ORDER = (State.FINISHED, State.RUNNING, State.FAILED, State.KILLED)


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, and how its cells stand under it."""

    heading: str
    right: bool = False
    """Numbers stand at the right."""


@dataclass(frozen=True, slots=True)
class Table:
    """What is drawn: every row has a cell for every column."""

    columns: list[Column]
    rows: list[list[str]]
    best: int | None
    """Index of the best trial's row; `None` where trials are not compared, or none finished."""
    left_out: int
    """How many trials have no row."""


def is_number(item: object) -> bool:
    """Tell whether *item* is an integer or a float; booleans are neither."""
    return isinstance(item, int | float) and not isinstance(item, bool)


def is_better(metric: float, than: float | None, direction: str) -> bool:
    """Tell whether *metric* beats *than* in *direction*, `MAX` or `MIN`; NaN beats nothing."""
    if math.isnan(metric):
        return False
    if than is None:
        return True
    return metric > than if direction.upper() == "MAX" else metric < than


def ranked(outcomes: Iterable["Outcome"], direction: str | None) -> list["Outcome"]:
    """Sort the best first; without a metric behind them, then failed, then killed trials.

    Args:
        outcomes: In any order.
        direction: `MAX` or `MIN`; `None` leaves finished trials in the order of the search.
    """
    sign = 0 if direction is None else -1 if direction.upper() == "MAX" else 1

    def key(outcome: "Outcome") -> tuple[int, bool, float, int]:
        metric = outcome.metric
        comparable = metric is not None and not math.isnan(metric)
        merit = sign * metric if sign and metric is not None and comparable else 0.0
        unranked = bool(sign) and not comparable
        return _ORDER.index(outcome.state), unranked, merit, outcome.trial.number

    return sorted(outcomes, key=key)


def result_table(
    outcomes: Sequence["Outcome"], *, metric_key: str | None, direction: str | None
) -> Table:
    """Choose rows and columns.

    Args:
        outcomes: All trials that ended.
        metric_key: The output that stands before the others; `None` where there is none.
        direction: `MAX` or `MIN`; `None` where trials are not compared.
    """
    order = ranked(outcomes, direction)
    shown = order[:ROWS]
    parameters = _parameters(order)
    outputs = _outputs(order, metric_key)
    columns = [Column("trial", right=True)]
    columns += [Column(_heading(name), _numeric(order, name)) for name in parameters]
    if not parameters:
        columns.append(Column("name"))
    columns += [Column(_heading(name), right=True) for name in outputs]
    columns += [Column("state"), Column("time", right=True)]
    rows = [_row(outcome, parameters, outputs, metric_key) for outcome in shown]
    best = 0 if direction is not None and order and _has_rank(order[0]) else None
    if best is not None:
        rows[best][len(columns) - 2] = "best"
    return Table(columns, rows, best, len(order) - len(shown))


def numbers(outcome: "Outcome", metric_key: str | None) -> dict[str, float]:
    """Return the outputs that are numbers, the metric first."""
    found = {} if outcome.metric is None else {metric_key or "metric": outcome.metric}
    for name, item in (outcome.outputs or {}).items():
        if is_number(item):
            found.setdefault(name, item)
    return found


def _has_rank(outcome: "Outcome") -> bool:
    finished = outcome.state is State.FINISHED
    return finished and outcome.metric is not None and not math.isnan(outcome.metric)


def _parameters(outcomes: Sequence["Outcome"]) -> list[str]:
    """Return the names that all trials share, or none if they differ or are too many."""
    names = list(outcomes[0].trial.parameters or {}) if outcomes else []
    shared = all(set(each.trial.parameters or {}) == set(names) for each in outcomes)
    return names if shared and len(names) <= _PARAMETER_COLUMNS else []


def _outputs(outcomes: Sequence["Outcome"], metric_key: str | None) -> list[str]:
    names: dict[str, None] = {}
    if metric_key is not None:
        names[metric_key] = None
    for outcome in outcomes:
        if len(names) >= _OUTPUT_COLUMNS:
            break
        names.update(dict.fromkeys(numbers(outcome, metric_key)))
    return list(names)[:_OUTPUT_COLUMNS]


def _numeric(outcomes: Sequence["Outcome"], name: str) -> bool:
    return all(is_number((each.trial.parameters or {}).get(name)) for each in outcomes)


def _heading(name: str) -> str:
    return shorten(clean(name), _HEADING_CHARACTERS)


def _row(
    outcome: "Outcome", parameters: list[str], outputs: list[str], metric_key: str | None
) -> list[str]:
    trial = outcome.trial
    given = trial.parameters or {}
    found = numbers(outcome, metric_key)
    named = [value(given[name]) for name in parameters] or [label(trial)]
    results = [value(found[name]) if name in found else "" for name in outputs]
    ending = [outcome.state.lower(), duration(outcome.seconds)]
    return [str(trial.number + 1), *named, *results, *ending]
