"""How agents are started. An engine does nothing else: what they run, the driver decides."""

from importlib import import_module
from typing import TYPE_CHECKING, cast

from hops.core import SettingsError

if TYPE_CHECKING:
    from hops.experiment.driver.agents import Engine
    from hops.experiment.settings import Settings

ENGINES = {
    "inline": "hops.experiment.engine.inline:InlineEngine",
    "local": "hops.experiment.engine.local:LocalEngine",
    "spark": "hops.experiment.engine.spark:SparkEngine",
}
"""Each engine's name and where it is; imported when it is used."""


def make_engine(settings: "Settings", trials: int | None) -> "Engine":
    """Make the engine that *settings* name.

    Args:
        settings: Of the run.
        trials: How many there will be, so that no more agents are started; `None` if unknown.

    Raises:
        MissingDependencyError: The engine needs a package that is not installed.
        SettingsError: There is no such engine in this release.
    """
    if settings.engine not in ENGINES:
        known = ", ".join(repr(name) for name in sorted(ENGINES))
        message = f"The engine is {settings.engine!r}; this release has {known}."
        raise SettingsError(message, hint="Leave it out, or unset HOPS_ENGINE, for the default.")
    module, _, name = ENGINES[settings.engine].partition(":")
    return cast("Engine", getattr(import_module(module), name)(settings, trials))
