"""How runs are executed: the options that every function of the API takes."""

import os
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, TypeVar

from hops.core import SettingsError, environment
from hops.project import Platform, current

Choice = TypeVar("Choice", bound=StrEnum)


class Isolation(StrEnum):
    """What a trial shares with the trial before it."""

    PROCESS = "process"
    """Nothing: a fresh process, forked from a clean interpreter in milliseconds."""
    SPAWN = "spawn"
    """Nothing: a new interpreter, for libraries that do not survive a fork."""
    WORKER = "worker"
    """The process, with its modules and globals: for many trials of milliseconds each."""


class Direction(StrEnum):
    """Whether a larger or a smaller metric is better."""

    MAX = "MAX"
    MIN = "MIN"


class Settings(NamedTuple):
    """How a run is executed. An argument goes before the environment, that before the default."""

    engine: str
    """`local`, `spark` or `inline`; from `HOPS_ENGINE`, else `spark` in a cluster and `local` on a
    laptop."""
    workers: int | None
    """How many trials run at a time; `None` for one per processor core or task slot of Spark."""
    isolation: Isolation
    """What a trial shares with the one before it; `process` unless told otherwise."""
    preload: tuple[str, ...]
    """Modules that are imported once for all trials instead of in each."""
    tensorboard: bool
    """Whether the run has a TensorBoard, and its trials the events for the HParams tab."""
    verbose: bool
    """Whether progress, the trials' output and the result table are shown."""

    @classmethod
    def choose(  # noqa: PLR0913 - the options of the API
        cls,
        *,
        engine: str | None = None,
        workers: int | None = None,
        isolation: str | None = None,
        preload: Sequence[str] = (),
        tensorboard: bool = True,
        verbose: bool = True,
    ) -> "Settings":
        """Choose settings; `None` leaves the choice to the environment or the default.

        Raises:
            SettingsError: A value is none of those allowed.
        """
        if workers is not None and (type(workers) is not int or workers < 1):
            message = f"workers is {workers!r}; expected a number from 1."
            raise SettingsError(message, hint="workers=None uses all that there is.")
        if isinstance(preload, str) or not all(isinstance(module, str) for module in preload):
            message = f"preload is {preload!r}; expected a list of module names."
            hint = f"preload=[{preload!r}]" if isinstance(preload, str) else "preload=['torch']"
            raise SettingsError(message, hint=hint)
        return cls(
            engine=engine or os.environ.get(environment.HOPS_ENGINE) or _default_engine(),
            workers=workers,
            isolation=_choice(Isolation, "isolation", isolation or Isolation.PROCESS),
            preload=tuple(preload),
            tensorboard=tensorboard,
            verbose=verbose,
        )


def _default_engine() -> str:
    return "spark" if current().platform is Platform.HOPSWORKS else "local"


def direction_of(value: object) -> Direction:
    """Return the direction that the caller named, in upper or lower case.

    Raises:
        SettingsError: It is neither MAX nor MIN.
    """
    return _choice(Direction, "direction", value.upper() if isinstance(value, str) else value)


def _choice(choices: type[Choice], name: str, value: object) -> Choice:
    try:
        return choices(str(value))
    except ValueError:
        allowed = ", ".join(repr(str(choice)) for choice in choices)
        message = f"{name} is {value!r}; expected one of {allowed}."
        raise SettingsError(message) from None
