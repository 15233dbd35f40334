"""Spark carries errors from the executor to the driver by pickle: every one has to survive it."""

import importlib
import inspect
import pickle
from collections.abc import Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from hops.core.errors import HopsError
from repository import MODULES

# Errors that nobody would look for under a builtin name, and why.
WITHOUT_BUILTIN_BASE = {
    "HopsError": "the root of the tree",
    "ServiceError": "the platform may refuse for any reason; its leaves have one",
    "ConflictError": "Python has no word for a resource in the wrong state",
}

# A value for each keyword argument, by the type that the constructor declares.
SAMPLES: dict[object, object] = {
    bool: True,
    bytes: b"fact",
    dict: {"fact": 1},
    float: 1.5,
    int: 3,
    list: ["fact"],
    object: "fact",
    str: "fact",
    tuple: ("fact",),
}


def below(error: type[HopsError]) -> Iterator[type[HopsError]]:
    """Yield *error* and everything derived from it."""
    yield error
    for child in error.__subclasses__():
        yield from below(child)


def all_errors() -> list[type[HopsError]]:
    """Find the errors of all modules."""
    for module in MODULES:
        importlib.import_module(module)
    ours = {error for error in below(HopsError) if error.__module__ in MODULES}
    return sorted(ours, key=lambda error: (error.__module__, error.__name__))


def sample(hint: object) -> object:
    """Return a value of the annotated type *hint*."""
    if get_origin(hint) in {Union, UnionType}:
        hint = next(option for option in get_args(hint) if option is not type(None))
    return SAMPLES[get_origin(hint) or hint]


def with_all_facts(error: type[HopsError]) -> HopsError:
    """Make an *error* with a message, a hint and every fact that its constructor takes."""
    hints = get_type_hints(error.__init__)
    parameters = inspect.signature(error).parameters.values()
    facts = {
        each.name: sample(hints[each.name])
        for each in parameters
        if each.kind is each.KEYWORD_ONLY and each.name != "hint"
    }
    return error("Something is wrong.", hint="do this", **facts)


def attributes(error: HopsError) -> dict[str, Any]:
    """Return what a handler can ask: the instance's own, and what builtin bases keep aside."""
    builtin = ("errno", "strerror", "filename", "filename2", "name", "path")
    return vars(error) | {name: getattr(error, name, None) for name in builtin}


each_error = pytest.mark.parametrize("error", all_errors(), ids=lambda error: error.__name__)


@each_error
def test_says_in_a_sentence_what_it_means(error: type[HopsError]) -> None:
    """Every error has a docstring of its own."""
    assert (vars(error)["__doc__"] or "").strip()


@each_error
def test_is_what_a_caller_already_catches(error: type[HopsError]) -> None:
    """Every error has a builtin base beside ours, unless a reason says why there is none."""
    builtin = [
        base
        for base in error.__mro__
        if base.__module__ == "builtins" and base not in HopsError.__mro__
    ]

    assert bool(builtin) != (error.__name__ in WITHOUT_BUILTIN_BASE)


@each_error
@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_survives_pickling(error: type[HopsError], protocol: int) -> None:
    """Type, message, hint and facts are the same at the other end, and once more."""
    original = with_all_facts(error)

    once = pickle.loads(pickle.dumps(original, protocol))
    twice = pickle.loads(pickle.dumps(once, protocol))

    assert "Something is wrong.\n\nHint: do this" in str(original)
    for copy in (once, twice):
        assert type(copy) is error
        assert str(copy) == str(original)
        assert copy.args == original.args
        assert attributes(copy) == attributes(original)


@each_error
def test_needs_a_message_only(error: type[HopsError]) -> None:
    """Facts and hint are optional: the message is all that unpickling hands over."""
    assert "Something is wrong." in str(error("Something is wrong."))
