"""What the functions of the API return: the tuples of hops-util-py, with names and with more."""

from typing import Any, NamedTuple

from hops.experiment.record import Outcome


class _Launched(NamedTuple):
    logdir: str
    outputs: Any


class LaunchResult(_Launched):
    """`(logdir, outputs)` of a launch.

    `outputs` is what the function returned, as a dictionary. With `args_dict` it is a list of them
    in order, with `None` in the place of each trial that failed.
    """

    trials: tuple[Outcome, ...] = ()
    """How each trial ended, in order."""


class _Searched(NamedTuple):
    best_dir: str
    best_params: dict[str, Any]
    best_outputs: dict[str, Any]


class SearchResult(_Searched):
    """`(best_dir, best_params, best_outputs)` of a search."""

    logdir: str = ""
    """The run's directory."""
    best: Outcome
    """The best trial; of equally good ones, the first."""
    trials: tuple[Outcome, ...] = ()
    """How each trial ended, in order."""
