from typing import Any

import pytest

from hops.core import SettingsError, environment
from hops.experiment.settings import Direction, Isolation, Settings, direction_of
from hops.project import Platform, Project


def test_the_defaults() -> None:
    """Without a word, trials run in local processes, one per core, and everything is shown."""
    settings = Settings.choose()

    assert (settings.engine, settings.workers, settings.preload) == ("local", None, ())
    assert settings.isolation is Isolation.PROCESS
    assert settings.tensorboard
    assert settings.verbose


def test_an_argument_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """HOPS_ENGINE is asked when the call leaves the engine out, and only then."""
    monkeypatch.setenv(environment.HOPS_ENGINE, "inline")

    assert Settings.choose().engine == "inline"
    assert Settings.choose(engine=None).engine == "inline"
    assert Settings.choose(engine="local").engine == "local"


def test_an_empty_variable_chooses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is set to nothing counts as not set."""
    monkeypatch.setenv(environment.HOPS_ENGINE, "")

    assert Settings.choose().engine == "local"


def test_in_a_cluster_trials_run_on_spark(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless something else is asked for."""
    inside = Project(
        name="demo", id="119", user="demo__meb10000", platform=Platform.HOPSWORKS, root="hopsfs://x"
    )
    monkeypatch.setattr("hops.experiment.settings.current", lambda: inside)

    assert Settings.choose().engine == "spark"
    assert Settings.choose(engine="local").engine == "local"


@pytest.mark.parametrize("isolation", list(Isolation))
def test_isolation_is_chosen_by_name(isolation: Isolation) -> None:
    """Each kind can be given as its name or as the member of the enumeration."""
    assert Settings.choose(isolation=str(isolation)).isolation is isolation
    assert Settings.choose(isolation=isolation).isolation is isolation


def test_modules_may_come_in_any_sequence() -> None:
    """They are kept in order."""
    assert Settings.choose(preload=["torch", "json"]).preload == ("torch", "json")


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"workers": 0}, "workers is 0", "workers=None"),
        ({"workers": -1}, "workers is -1", "workers=None"),
        ({"workers": 2.0}, "workers is 2.0", "workers=None"),
        ({"workers": True}, "workers is True", "workers=None"),
        ({"workers": "4"}, "workers is '4'", "workers=None"),
        ({"preload": "torch"}, "preload is 'torch'", "preload=['torch']"),
        ({"preload": [pytest]}, "expected a list of module names", "preload=['torch']"),
        ({"isolation": "thread"}, "expected one of 'process', 'spawn', 'worker'", None),
        ({"isolation": 3}, "isolation is 3", None),
    ],
)
def test_a_wrong_value_is_refused(options: dict[str, Any], message: str, hint: str | None) -> None:
    """The error shows the value and what is allowed."""
    with pytest.raises(SettingsError) as caught:
        Settings.choose(**options)

    assert message in str(caught.value)
    assert (caught.value.hint or "").startswith(hint or "")


@pytest.mark.parametrize("value", ["MAX", "max", "Max", Direction.MAX])
def test_a_direction_is_written_in_any_case(value: object) -> None:
    """As it was in hops-util-py."""
    assert direction_of(value) is Direction.MAX
    assert direction_of("min") is Direction.MIN


@pytest.mark.parametrize("value", ["up", "", None, 1, True])
def test_another_direction_is_refused(value: object) -> None:
    """The error names the two that there are."""
    with pytest.raises(SettingsError, match="expected one of 'MAX', 'MIN'"):
        direction_of(value)
