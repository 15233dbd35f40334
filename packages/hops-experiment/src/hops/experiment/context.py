"""Which run and trial the code is in: the ContextVar that the user's function is called under."""

from contextvars import ContextVar
from typing import NamedTuple


class TrialContext(NamedTuple):
    """What the running function may ask about itself."""

    run_id: str
    """`<application id>_<n>`, also the value of `ML_ID`."""
    trial: str
    """Name of the trial's directory inside the run's; empty where the run is one trial."""
    logdir: str
    """Local directory for TensorBoard's event files; kept in the trial's directory."""


current_trial: ContextVar[TrialContext | None] = ContextVar("current_trial", default=None)
"""`None` outside of a run."""
