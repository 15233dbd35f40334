"""What a user does wrong gets an error that says what to do, before anything is started."""

import functools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hops import experiment
from hops.core import HopsError, SettingsError
from hops.experiment import NestedExperimentError, PicklingError
from hops.hdfs import PathNotFoundError, StoreNotWritableError

QUIET: dict[str, Any] = {"verbose": False, "tensorboard": False}


def train(a: int = 1) -> int:
    """Return the argument."""
    return a


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({}, "grid_dict is empty"),
        ({"a": []}, r"grid_dict\['a'\] is empty"),
        ({"a": "123"}, r"grid_dict\['a'\] is '123'; expected a list"),
        ({"a": 5}, r"grid_dict\['a'\] is 5; expected a list"),
        ([("a", [1])], "expected a dictionary"),
        ({1: [1]}, "has the key 1"),
        ({"b": [1]}, "'train' takes no argument 'b'. It takes 'a'"),
    ],
)
def test_a_wrong_grid_is_refused(project: Path, grid: Any, message: str) -> None:  # noqa: ANN401
    """An empty grid, values that are no list, and unknown names are errors; nothing is started."""
    with pytest.raises(SettingsError, match=message):
        experiment.grid_search(train, grid, **QUIET)

    assert not project.exists()


def test_a_missing_argument_is_refused() -> None:
    """An argument without a default that has no values is named."""
    with pytest.raises(SettingsError, match="needs a value for 'b'"):
        experiment.grid_search(lambda a, b: a + b, {"a": [1]}, **QUIET)


def test_lists_of_different_length_are_refused() -> None:
    """`args_dict` needs lists of one length; the hint names grid_search."""
    with pytest.raises(SettingsError, match="'a' has 2, 'b' has 1") as caught:
        experiment.launch(lambda a, b: a + b, {"a": [1, 2], "b": [1]}, **QUIET)

    assert "grid_search" in (caught.value.hint or "")


@pytest.mark.parametrize("direction", ["up", "", None, 3])
def test_a_direction_that_is_neither_is_refused(project: Path, direction: Any) -> None:  # noqa: ANN401
    """The error names the two directions, before the search runs."""
    with pytest.raises(SettingsError, match="expected one of 'MAX', 'MIN'"):
        experiment.grid_search(train, {"a": [1]}, direction, **QUIET)

    assert not project.exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"engine": "ray"}, "engine is 'ray'"),
        ({"isolation": "thread"}, "expected one of 'process', 'spawn', 'worker'"),
        ({"workers": 0}, "workers is 0"),
        ({"preload": "torch"}, "expected a list of module names"),
    ],
)
def test_a_wrong_option_is_refused(project: Path, option: Any, message: str) -> None:  # noqa: ANN401
    """Each option is checked, and the error names what is allowed."""
    with pytest.raises(SettingsError, match=message):
        experiment.launch(train, **(QUIET | option))

    assert not project.exists()


def test_an_option_that_does_not_exist_is_a_type_error() -> None:
    """A misspelt keyword is refused as Python does it, with the names that there are."""
    with pytest.raises(TypeError, match=r"'worker' is no argument.*workers"):
        experiment.launch(train, **(QUIET | {"worker": 2}))


@pytest.mark.parametrize("function", [None, 5, "train"])
def test_what_cannot_be_called_is_refused(function: Any) -> None:  # noqa: ANN401
    """The result of a call, given instead of the function, is an error with a hint."""
    with pytest.raises(SettingsError, match="expected something that can be called"):
        experiment.launch(function, **QUIET)


def test_a_missing_resource_is_refused(project: Path) -> None:
    """A versioned resource that does not exist is an error before any work."""
    with pytest.raises(PathNotFoundError, match=r"nb\.ipynb"):
        experiment.launch(train, versioned_resources=["Jupyter/nb.ipynb"], **QUIET)

    assert not project.exists()


@pytest.mark.parametrize("name", ["name", "description", "metric_key"])
def test_what_is_not_a_text_is_refused(project: Path, name: str) -> None:
    """Names and descriptions are texts, and anything else is refused before the run has begun."""
    with pytest.raises(SettingsError, match=f"{name} is .*; expected a text"):
        experiment.launch(train, **(QUIET | {name: {1, 2}}))

    assert not project.exists()


def test_resources_are_a_list() -> None:
    """One path instead of a list of paths is an error that shows the list."""
    with pytest.raises(SettingsError, match="expected a list of paths"):
        experiment.launch(train, versioned_resources="nb.ipynb", **QUIET)


def test_a_project_that_cannot_be_written_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A project directory that cannot be made is an error that says which variable to set."""
    monkeypatch.setenv("HOPS_PROJECT_DIR", "/sys/hops")

    with pytest.raises(StoreNotWritableError) as caught:
        experiment.launch(train, **QUIET)

    assert "HOPS_PROJECT_DIR" in (caught.value.hint or "")


def test_the_variable_that_cannot_travel_is_named(project: Path) -> None:
    """A function over a lock is refused with the name of the variable, and leaves no run behind."""
    lock = threading.Lock()

    def locked() -> bool:
        return lock.locked()

    with pytest.raises(PicklingError, match=r"the variable 'lock' \(a lock\) cannot travel"):
        experiment.launch(locked, **QUIET)

    assert not project.exists()


def test_an_experiment_inside_an_experiment_is_refused() -> None:
    """A launch in a trial fails with an error that names the outer run."""
    result = experiment.launch(
        lambda a: experiment.launch(lambda: 1).outputs if a else 0, {"a": [0, 1]}, **QUIET
    )

    assert NestedExperimentError.__name__ in (result.trials[1].error or "")


@pytest.mark.parametrize("engine", ["local", "inline"])
def test_nesting_is_refused_in_every_engine(engine: str) -> None:
    """Also where the trial runs in the caller's own process."""

    def outer(a: int) -> int:
        if a:
            experiment.launch(lambda: 1, engine="inline", verbose=False)
        return a

    result = experiment.launch(outer, {"a": [0, 1]}, engine=engine, **QUIET)

    assert result.trials[1].error is not None
    assert NestedExperimentError.__name__ in result.trials[1].error


def test_every_error_has_a_hint_where_one_helps() -> None:
    """The errors above are ours, and say what to type."""
    with pytest.raises(HopsError) as caught:
        experiment.grid_search(train, {}, **QUIET)

    assert "\n\nHint: " in str(caught.value)


async def asynchronous() -> int:
    """Return nothing that could be kept."""
    return 1


def generator() -> Iterator[int]:
    """Yield instead of returning."""
    yield 1


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (asynchronous, "asynchronous"),
        (functools.partial(asynchronous), "asynchronous"),
        (generator, "a generator"),
    ],
)
def test_a_function_that_does_not_return_is_refused(function: Any, kind: str) -> None:  # noqa: ANN401
    """Asynchronous functions and generators would end before they have begun."""
    with pytest.raises(SettingsError, match=f"is {kind}; expected one that returns"):
        experiment.launch(function, **QUIET)
