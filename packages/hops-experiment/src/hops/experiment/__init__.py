"""Run and search training functions; everything is recorded in the project.

`launch` runs a function once, `grid_search` for every combination of values. Where it runs is
decided by an option, and not by the program.
"""

from hops.experiment.api import Options, grid_search, launch
from hops.experiment.errors import (
    AgentError,
    FormatError,
    NestedExperimentError,
    PicklingError,
    ProtocolError,
    RunCancelledError,
    TrialError,
    TrialTraceback,
)
from hops.experiment.record import Outcome, State, Trial
from hops.experiment.results import LaunchResult, SearchResult
from hops.experiment.settings import Direction, Isolation

__all__ = [
    "AgentError",
    "Direction",
    "FormatError",
    "Isolation",
    "LaunchResult",
    "NestedExperimentError",
    "Options",
    "Outcome",
    "PicklingError",
    "ProtocolError",
    "RunCancelledError",
    "SearchResult",
    "State",
    "Trial",
    "TrialError",
    "TrialTraceback",
    "grid_search",
    "launch",
]
