import functools
from collections.abc import Callable
from typing import Any

import pytest

from hops.core import SettingsError
from hops.experiment.function import call, check_callable, ordered_names


def plain(a: object, b: object) -> object:
    """Two arguments."""
    return a, b


def with_default(a: object, b: object = 2) -> object:
    """One has a default."""
    return a, b


def keyword_only(*, a: object, b: object = 2) -> object:
    """Both by name only."""
    return a, b


def positional_only(a: object = 1, b: object = 2, /, c: object = 3) -> object:
    """The first two by position only."""
    return a, b, c


def anything(a: object, **more: object) -> object:
    """Any name."""
    return a, more


def any_number(*values: object) -> object:
    """Arguments without names."""
    return values


def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap as most decorators do."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the function's own
        return function(*args, **kwargs)

    return wrapper


class Model:
    """Callable in every way that a class knows."""

    def __init__(self, a: object = 0, b: object = 0) -> None:
        self.values = (a, b)

    def __call__(self, b: object, a: object) -> object:
        """Take the arguments in another order."""
        return a, b

    def method(self, a: object, b: object) -> object:
        """Return both."""
        return a, b

    @classmethod
    def of_class(cls, a: object, b: object) -> object:
        """Return both."""
        return a, b

    @staticmethod
    def static(a: object, b: object) -> object:
        """Return both."""
        return a, b


EVERY_KIND = {
    "function": plain,
    "lambda": lambda a, b: (a, b),
    "default": with_default,
    "keyword-only": keyword_only,
    "decorated": decorated(plain),
    "partial": functools.partial(anything, a=0),
    "object": Model(),
    "method": Model().method,
    "class method": Model.of_class,
    "static method": Model.static,
    "class": Model,
}


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_kind_of_callable_takes_its_arguments(kind: str) -> None:
    """Names are accepted, and each value arrives under its name."""
    function = EVERY_KIND[kind]
    assert check_callable(function) is function
    assert set(ordered_names(function, ["b", "a"])) == {"a", "b"}

    result = call(function, {"b": "B", "a": "A"})

    expected = {"partial": ("A", {"b": "B"})}.get(kind, ("A", "B"))
    assert (result.values if isinstance(result, Model) else result) == expected


@pytest.mark.parametrize("function", [None, 0.9, "train", {}])
def test_what_cannot_be_called_is_refused(function: object) -> None:
    """The error shows it; the result of a function, given for the function, is explained."""
    with pytest.raises(SettingsError, match="The training function is") as caught:
        check_callable(function)

    assert (caught.value.hint is not None) == (function is None)


@pytest.mark.parametrize(
    ("function", "given", "names"),
    [
        (plain, "ba", "ab"),
        (with_default, "a", "a"),
        (keyword_only, "ba", "ab"),
        (positional_only, "cb", "bc"),
        (anything, "zay", "azy"),
        (Model(), "ab", "ba"),
        (functools.partial(plain, 1), "b", "b"),
        (functools.partial(plain, b=1), "a", "a"),
        (lambda: None, "", ""),
        (any_number, "", ""),
    ],
)
def test_names_are_in_the_order_of_the_arguments(
    function: Callable[..., Any], given: str, names: str
) -> None:
    """The order of the values does not matter; names for `**` follow as they were given."""
    assert ordered_names(function, given) == list(names)


@pytest.mark.parametrize(
    ("function", "given", "message"),
    [
        (plain, "abx", "'plain' takes no argument 'x'. It takes 'a', 'b'."),
        (plain, "xaby", "'plain' takes no argument 'x', 'y'."),
        (any_number, "a", "'any_number' takes no argument 'a'. It takes no arguments."),
        (lambda: None, "a", "'<lambda>' takes no argument 'a'"),
        (functools.partial(plain, 1), "ab", "'partial' takes no argument 'a'. It takes 'b'."),
        (plain, "a", "'plain' needs a value for 'b'."),
        (keyword_only, "b", "'keyword_only' needs a value for 'a'."),
        (anything, "x", "'anything' needs a value for 'a'."),
        (Model(), "", "'Model' needs a value for 'b', 'a'."),
    ],
)
def test_wrong_names_are_refused(function: Callable[..., Any], given: str, message: str) -> None:
    """The error names what is not taken or not given, and the hint says what to do."""
    with pytest.raises(SettingsError) as caught:
        ordered_names(function, given)

    assert message in str(caught.value)
    assert caught.value.hint


def test_a_function_that_does_not_say_what_it_takes_is_believed() -> None:
    """Some functions written in C have no signature: any name is passed on, in order."""
    assert ordered_names(dict, ["b", "a"]) == ["b", "a"]
    assert call(dict, {"b": 1, "a": 2}) == {"b": 1, "a": 2}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, (1, 2, 3)),
        ({"a": "A"}, ("A", 2, 3)),
        ({"b": "B"}, (1, "B", 3)),
        ({"b": "B", "c": "C"}, (1, "B", "C")),
        ({"c": "C", "b": "B", "a": "A"}, ("A", "B", "C")),
    ],
)
def test_arguments_by_position_come_to_their_place(
    arguments: dict[str, Any], expected: object
) -> None:
    """Where one that has no name for callers is left out, its default stands in its place."""
    assert call(positional_only, arguments) == expected
    assert call(decorated(positional_only), arguments) == expected


def test_what_the_function_raises_is_its_own() -> None:
    """An error of the function is not changed on its way."""
    with pytest.raises(ZeroDivisionError):
        call(lambda a: 1 / a, {"a": 0})
