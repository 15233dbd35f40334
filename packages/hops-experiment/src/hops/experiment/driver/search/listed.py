"""A search over a list that is known from the start: a grid, or the given combinations."""

import math
from collections.abc import Iterable, Mapping, Sequence, Sized
from itertools import product
from typing import Any

from hops.core import SettingsError


class ListedSearch:
    """Tries each combination once, in order."""

    def __init__(self, combinations: Iterable[dict[str, Any]], total: int | None = None) -> None:
        """Search over *combinations*, of which there are *total*; a list says so itself."""
        self.total = len(combinations) if isinstance(combinations, Sized) else total
        self._rest = iter(combinations)

    def ask(self) -> dict[str, Any] | None:
        """Return the next combination."""
        return next(self._rest)

    def tell(self, parameters: dict[str, Any], metric: float | None) -> None:
        """Learn nothing: the list is fixed."""


def grid(values: Mapping[str, Sequence[Any]]) -> ListedSearch:
    """Search every combination of *values*, the last name varying fastest."""
    combinations = (dict(zip(values, chosen, strict=True)) for chosen in product(*values.values()))
    return ListedSearch(combinations, math.prod(map(len, values.values())))


def zipped(values: Mapping[str, Sequence[Any]]) -> ListedSearch:
    """Search the first value of each name, then the second of each, and so on.

    Raises:
        SettingsError: The lists differ in length.
    """
    lengths = {name: len(items) for name, items in values.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        message = f"The lists of values differ in length: {shown}."
        hint = "args_dict makes one trial of all first values, one of all second values, ...; "
        raise SettingsError(message, hint=hint + "grid_search tries every combination.")
    combinations = [
        dict(zip(values, chosen, strict=True)) for chosen in zip(*values.values(), strict=True)
    ]
    return ListedSearch(combinations)


def check_values(values: object, argument: str) -> dict[str, list[Any]]:
    """Return *values* as names and non-empty lists.

    Args:
        values: What the caller gave.
        argument: Name of the argument it was given as, for messages.

    Raises:
        SettingsError: It is no mapping of names to lists, or there is nothing in it.
    """
    if not isinstance(values, Mapping):
        message = f"{argument} is {values!r}; expected a dictionary of names and lists of values."
        raise SettingsError(message, hint=f"{argument}={{'lr': [0.1, 0.01]}}")
    if not values:
        message = f"{argument} is empty."
        raise SettingsError(message, hint=f"{argument}={{'lr': [0.1, 0.01]}}")
    return {_name(name, argument): _items(name, items, argument) for name, items in values.items()}


def _name(name: object, argument: str) -> str:
    if isinstance(name, str):
        return name
    message = f"{argument} has the key {name!r}; expected the name of an argument."
    raise SettingsError(message)


def _items(name: str, items: object, argument: str) -> list[Any]:
    if isinstance(items, str | bytes | Mapping) or not hasattr(items, "__iter__"):
        message = f"{argument}[{name!r}] is {items!r}; expected a list of values."
        raise SettingsError(message, hint=f"{argument}={{{name!r}: [{items!r}]}}")
    try:
        listed = list(items)
    except TypeError as error:  # numpy.array(3)
        message = f"{argument}[{name!r}] is {items!r}; expected a list of values."
        raise SettingsError(message) from error
    if not listed:
        message = f"{argument}[{name!r}] is empty; expected at least one value."
        raise SettingsError(message)
    return listed
