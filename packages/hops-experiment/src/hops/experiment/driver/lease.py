"""A trial in the hands of an agent."""

from dataclasses import dataclass

from hops.experiment.record import Trial


@dataclass(slots=True)
class Lease:
    """A trial that an agent runs."""

    trial: Trial
    attempt: int
    agent: str
    directory: str
    started: float
    accepted: bool = False
    """A report for it is being published: it cannot be lost any more."""
