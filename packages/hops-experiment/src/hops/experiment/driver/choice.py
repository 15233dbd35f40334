"""Which trial is the best, and what the metric of the run is."""

import math
from collections.abc import Sequence

from hops.experiment.driver.plan import Plan
from hops.experiment.record import Outcome, State
from hops.experiment.settings import Direction


def best_of(outcomes: Sequence[Outcome], direction: Direction | None) -> Outcome | None:
    """Return the best trial; of equally good ones, the first.

    Args:
        outcomes: In order.
        direction: Towards larger or smaller metrics; `None` where nothing is compared.

    Returns:
        `None` where no trial finished with a number. NaN is none.
    """
    sign = -1 if direction is Direction.MIN else 1
    best, value = None, -math.inf
    for outcome in outcomes:
        if direction is None or outcome.state is not State.FINISHED or outcome.metric is None:
            continue
        metric = sign * outcome.metric
        if not math.isnan(metric) and (best is None or metric > value):
            best, value = outcome, metric
    return best


def metric_of_run(plan: Plan, outcomes: Sequence[Outcome]) -> object:
    """Return the number that the run is listed with; `None` where there is none.

    For a search that of its best trial; for a launch the output that was asked for, or the only
    one there is.
    """
    best = best_of(outcomes, plan.direction)
    if best is not None:
        return best.metric
    if plan.direction is not None or len(outcomes) != 1 or outcomes[0].outputs is None:
        return None
    outputs = {name: value for name, value in outcomes[0].outputs.items() if name != "log"}
    if plan.metric_key is None and list(outputs) != ["metric"]:
        return None
    return outputs.get(plan.metric_key or "metric")
