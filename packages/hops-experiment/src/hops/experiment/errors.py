"""The errors of experiments.

::

    HopsError
    ├── TrialError (RuntimeError)          the user's function failed, in every trial
    ├── TrialTraceback (RuntimeError)      the cause of a TrialError: where the function failed
    ├── PicklingError (TypeError)          the function cannot travel to another process
    ├── NestedExperimentError (RuntimeError)
    ├── AgentError (RuntimeError)          no process could be started to run trials in
    ├── RunCancelledError (RuntimeError)   somebody has cancelled the run from outside
    ├── ProtocolError (ConnectionError)    a peer that does not speak as agreed
    └── FormatError (ValueError)           a record on disk that a newer release has written
"""

from hops.core import HopsError


class TrialError(HopsError, RuntimeError):
    """The user's function failed; where there were several trials, in all of them.

    The message names the first failure; its cause is a `TrialTraceback`.
    """


class TrialTraceback(HopsError, RuntimeError):  # noqa: N818 - the cause of an error, not one
    """The cause of a `TrialError`: the traceback of the function, from the trial's own process."""

    def __str__(self) -> str:
        """Return the traceback below a line of its own, as Python prints the cause."""
        return f"in the trial:\n\n{self.args[0]}"


class PicklingError(HopsError, TypeError):
    """The function, or something it refers to, cannot travel to another process."""


class NestedExperimentError(HopsError, RuntimeError):
    """An experiment was started inside the function of another."""


class AgentError(HopsError, RuntimeError):
    """The processes that run trials could not be started, or end again and again."""


class RunCancelledError(HopsError, RuntimeError):
    """Somebody has cancelled the run from outside, as in Spark's UI; what had ended is kept."""


class ProtocolError(HopsError, ConnectionError):
    """A peer does not speak as agreed, or could not prove who it is."""


class FormatError(HopsError, ValueError):
    """A record on disk was written by a newer release."""
