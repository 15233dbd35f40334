"""What happens in a run, for those who show it."""

from typing import NamedTuple

from hops.experiment.record import Outcome, Trial


class Started(NamedTuple):
    """An agent has begun a trial."""

    trial: Trial
    directory: str
    """Where the attempt writes, relative to the project."""


class Logged(NamedTuple):
    """A trial has written lines."""

    trial: Trial
    lines: list[str]
    skipped: int
    """Lines that were too many to pass on."""


class Ended(NamedTuple):
    """A trial has ended, and is on disk."""

    outcome: Outcome


class Noted(NamedTuple):
    """Something that the user should know."""

    text: str


Event = Started | Logged | Ended | Noted
