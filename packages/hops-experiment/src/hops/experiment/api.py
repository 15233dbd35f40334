"""The functions that users call: they check what they are given, and hand it to a run."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from hops.core import SettingsError, environment
from hops.experiment.context import current_trial
from hops.experiment.driver.choice import best_of
from hops.experiment.driver.plan import Plan
from hops.experiment.driver.resources import find_resources
from hops.experiment.driver.search.listed import ListedSearch, check_values, grid, zipped
from hops.experiment.errors import NestedExperimentError, TrialError, TrialTraceback
from hops.experiment.function import check_callable, ordered_names
from hops.experiment.record import LOG_FILE, State
from hops.experiment.results import LaunchResult, SearchResult
from hops.experiment.settings import Direction, Settings, direction_of

if TYPE_CHECKING:
    from hops.experiment.driver.run import Finished


class Options(TypedDict, total=False):
    """How a run is executed; every function of the API takes these as keywords."""

    engine: str | None
    """Where trials run: `local` processes, `spark` executors, or `inline`, one after another in
    this process, for a debugger. `None` asks `HOPS_ENGINE`; without it, `spark` in a cluster and
    `local` on a laptop."""
    workers: int | None
    """How many trials run at a time; `None` for one per processor core, or per task slot of
    Spark."""
    isolation: str | None
    """What a trial shares with the one before it: nothing (`process`, the default: a process
    forked in milliseconds; `spawn`: a new interpreter), or its process (`worker`, for many trials
    of milliseconds each)."""
    preload: Sequence[str]
    """Modules to import once for all trials, such as `["torch"]`, instead of in each. Only such as
    define things: trials are forked from the process that imports them, so one that computes or
    starts threads when it is imported needs `isolation="spawn"` instead."""
    tensorboard: bool
    """Whether the run has a TensorBoard, and its trials the events for the HParams tab."""
    verbose: bool
    """Whether progress, the trials' output and the result are shown."""


def launch(  # noqa: PLR0913, PLR0917 - the arguments of hops-util-py, in its order
    train_fn: Callable[..., Any],
    args_dict: Mapping[str, Sequence[Any]] | None = None,
    name: str = "no-name",
    local_logdir: bool = False,  # noqa: FBT001, FBT002 - positional in hops-util-py
    description: str | None = None,
    metric_key: str | None = None,
    *,
    versioned_resources: Sequence[str] | None = None,
    **options: Unpack[Options],
) -> LaunchResult:
    """Run *train_fn* once, or once for each set of values, and record everything in the project.

    Each call of the function runs in a process of its own, in a working directory of its own. What
    it writes to standard output and error is shown, and kept in `output.log`. It may return
    nothing, a number, or a dictionary; names of existing files among the values are copied into the
    project, and what JSON cannot hold is kept as a pickle.

    Args:
        train_fn: Any callable: a function, also of a notebook, a lambda, a partial.
        args_dict: Names of arguments, each with its values: the first call gets the first value of
            each, the second call the second of each. `None` calls the function once, without.
        name: Of the experiment, as it is listed.
        local_logdir: Whether `hops.tensorboard.logdir()` is a directory that is moved into the
            project at the end, instead of one inside it.
        description: For those who look at the experiment later.
        metric_key: The output that is the experiment's metric; `None` takes a single number.
        versioned_resources: Files of the project, such as the notebook itself, to keep a copy of.
        **options: How to run; see `Options`.

    Returns:
        `(logdir, outputs)`: the run's directory, and what the function returned as a dictionary.
        With *args_dict*, a list of such dictionaries in order, `None` where a trial failed.

    Raises:
        TrialError: The function failed; with *args_dict*, in every trial.
        SettingsError: An argument is wrong. Nothing was started.
        PicklingError: The function cannot be sent to another process.
        PathNotFoundError: A versioned resource does not exist.
        StoreNotWritableError: The project cannot be written.
        NestedExperimentError: The call is inside the function of another experiment.

    Example:
        >>> logdir, outputs = launch(lambda: {"accuracy": 0.9}, verbose=False)
        >>> outputs["accuracy"]
        0.9
    """
    _refuse_nesting()
    _check_texts(name=name, description=description, metric_key=metric_key)
    function = check_callable(train_fn)
    values = None if args_dict is None else check_values(args_dict, "args_dict")
    names = ordered_names(function, values or {})
    ordered = {name: (values or {})[name] for name in names}
    plan = Plan(
        function=function,
        search=zipped(ordered) if values else ListedSearch([{}]),
        kind="EXPERIMENT",
        name=name,
        description=description,
        space=ordered or None,
        metric_key=metric_key,
        direction=None,
        local_logdir=local_logdir,
        versioned_resources=find_resources(versioned_resources),
        settings=_settings(options),
    )
    finished = _execute(plan)
    _raise_if_all_failed(finished)
    outputs = [outcome.outputs for outcome in finished.outcomes]
    result = LaunchResult(finished.directory, outputs[0] if values is None else outputs)
    result.trials = tuple(finished.outcomes)
    return result


def grid_search(  # noqa: PLR0913, PLR0917 - the arguments of hops-util-py, in its order
    train_fn: Callable[..., Any],
    grid_dict: Mapping[str, Sequence[Any]],
    direction: Direction | str = Direction.MAX,
    name: str = "no-name",
    local_logdir: bool = False,  # noqa: FBT001, FBT002 - positional in hops-util-py
    description: str | None = None,
    optimization_key: str = "metric",
    *,
    versioned_resources: Sequence[str] | None = None,
    **options: Unpack[Options],
) -> SearchResult:
    """Run *train_fn* for every combination of values, in parallel, and find the best.

    A trial that fails is recorded with its traceback, and the search goes on; one that returns NaN
    is kept, and never wins. See `launch` for how the function runs and what it may return.

    Args:
        train_fn: Any callable that takes the names of *grid_dict* as arguments. It returns a
            number, or a dictionary with a number under *optimization_key*.
        grid_dict: Names of arguments, each with the values to try.
        direction: Whether the largest (`MAX`) or the smallest (`MIN`) metric wins.
        name: Of the experiment, as it is listed.
        local_logdir: See `launch`.
        description: For those who look at the experiment later.
        optimization_key: The output that trials are compared by; a number that the function
            returns by itself has the name `metric`.
        versioned_resources: See `launch`.
        **options: How to run; see `Options`.

    Returns:
        `(best_dir, best_params, best_outputs)`. Of equally good trials, the first is the best.

    Raises:
        TrialError: Every trial failed, or returned NaN.
        SettingsError: An argument is wrong. Nothing was started.
        PicklingError: The function cannot be sent to another process.
        PathNotFoundError: A versioned resource does not exist.
        StoreNotWritableError: The project cannot be written.
        NestedExperimentError: The call is inside the function of another experiment.

    Example:
        >>> result = grid_search(lambda a, b: a * b, {"a": [1, 2], "b": [3, 4]}, verbose=False)
        >>> result.best_params
        {'a': 2, 'b': 4}
    """
    _refuse_nesting()
    _check_texts(name=name, description=description, optimization_key=optimization_key)
    function = check_callable(train_fn)
    towards = direction_of(direction)
    values = check_values(grid_dict, "grid_dict")
    ordered = {name: values[name] for name in ordered_names(function, values)}
    plan = Plan(
        function=function,
        search=grid(ordered),
        kind="PARALLEL_EXPERIMENTS",
        name=name,
        description=description,
        space=ordered,
        metric_key=optimization_key,
        direction=towards,
        local_logdir=local_logdir,
        versioned_resources=find_resources(versioned_resources),
        settings=_settings(options),
    )
    return _search(plan)


def _search(plan: Plan) -> SearchResult:
    finished = _execute(plan)
    best = best_of(finished.outcomes, plan.direction)
    if best is None:
        _raise_if_all_failed(finished)
        message = f"No trial returned a number to compare: {plan.metric_key!r} was NaN in all."
        raise TrialError(message, hint=f"Everything is recorded in {finished.directory}.")
    parameters, outputs = best.trial.parameters or {}, best.outputs or {}
    result = SearchResult(f"{finished.directory}/{best.trial.name}", parameters, outputs)
    result.logdir = finished.directory
    result.best = best
    result.trials = tuple(finished.outcomes)
    return result


def _execute(plan: Plan) -> "Finished":
    # Imported here, and in this order: an agent imports this module too, and has no use for them;
    # and the driver's own parts are loaded while the agents start.
    from hops.experiment.driver.agents import open_door
    from hops.experiment.driver.signals import orderly_signals
    from hops.experiment.engine import make_engine

    engine = make_engine(plan.settings, plan.search.total)
    door = open_door(engine.host, known_as=engine.known_as)
    # Inline, what a signal raises would be raised in the function, and be taken for its own.
    with nullcontext() if engine.name == "inline" else orderly_signals():
        try:
            engine.start(door.invitation)
            from hops.experiment.driver.run import execute

            return execute(plan, engine, door)
        finally:
            door.close()
            engine.close()


def _refuse_nesting() -> None:
    trial = current_trial.get()
    if trial is not None or environment.HOPS_LOGDIR in os.environ:
        outer = os.environ.get(environment.ML_ID) if trial is None else trial.run_id
        message = f"An experiment was started inside a trial of the experiment {outer!r}."
        hint = "Return the result of the trial, and start the next experiment with it outside."
        raise NestedExperimentError(message, hint=hint)


def _check_texts(**texts: object) -> None:
    for name, value in texts.items():
        if not isinstance(value, str | None):
            message = f"{name} is {value!r}; expected a text."
            raise SettingsError(message)


def _settings(options: Options) -> Settings:
    unknown = [name for name in options if name not in Options.__annotations__]
    if unknown:
        known = ", ".join(Options.__annotations__)
        message = f"{unknown[0]!r} is no argument here; besides those listed there are {known}."
        raise TypeError(message)
    return Settings.choose(**options)


def _raise_if_all_failed(finished: "Finished") -> None:
    """Raise the first failure, with the trial's own traceback as its cause."""
    outcomes = finished.outcomes
    if any(outcome.state is State.FINISHED for outcome in outcomes):
        return
    first = outcomes[0]
    which = "The trial failed" if len(outcomes) == 1 else f"All {len(outcomes)} trials failed"
    log = "/".join(part for part in (finished.directory, first.trial.name, LOG_FILE) if part)
    error = TrialError(f"{which}: {first.error}", hint=f"What it wrote is in {log}")
    raise error from TrialTraceback(first.traceback or first.error or "")
