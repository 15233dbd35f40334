from contextlib import suppress
from typing import Any

import pytest

from hops.core import SettingsError
from hops.experiment.driver.search.listed import ListedSearch, check_values, grid, zipped


def drained(search: ListedSearch) -> list[dict[str, Any] | None]:
    """Ask until there is no more."""
    found = []
    while True:
        try:
            found.append(search.ask())
        except StopIteration:
            return found


def all_of(search: ListedSearch) -> list[dict[str, Any]]:
    """Ask until there are no more."""
    found: list[dict[str, Any]] = []
    with suppress(StopIteration):
        while True:
            found.append(search.ask() or {})
    return found


def test_a_grid_has_every_combination() -> None:
    """The last name varies fastest; names stay in order."""
    search = grid({"b": [1, 2], "a": ["x", "y"]})
    combinations = all_of(search)

    assert search.total == 4
    assert combinations == [
        {"b": 1, "a": "x"},
        {"b": 1, "a": "y"},
        {"b": 2, "a": "x"},
        {"b": 2, "a": "y"},
    ]
    assert all(list(combination) == ["b", "a"] for combination in combinations)


def test_zipped_goes_by_place() -> None:
    """The first of each, then the second of each."""
    search = zipped({"a": [1, 2], "b": [5, 3]})

    assert search.total == 2
    assert all_of(search) == [{"a": 1, "b": 5}, {"a": 2, "b": 3}]


def test_lists_of_different_length_are_refused() -> None:
    """The error says how long each is, and the hint names the other function."""
    with pytest.raises(SettingsError, match="'a' has 2, 'b' has 1") as caught:
        zipped({"a": [1, 2], "b": [3]})

    assert "grid_search" in (caught.value.hint or "")


def test_each_combination_is_asked_for_once() -> None:
    """In order, whatever is told of them; then there are no more, however often one asks."""
    search = ListedSearch([{"a": 1}, {"a": 1}, {}])
    assert search.total == 3

    assert search.ask() == {"a": 1}
    search.tell({"a": 1}, None)
    assert drained(search) == [{"a": 1}, {}]
    assert drained(search) == []


@pytest.mark.parametrize(
    "items", [[1, 2], (1, 2), range(1, 3), iter([1, 2]), {1: "a", 2: "b"}.keys()]
)
def test_values_may_be_anything_that_can_be_listed(items: object) -> None:
    """A list, a tuple, a range, a generator: each value counts once."""
    assert check_values({"a": items}, "grid_dict") == {"a": [1, 2]}


def test_values_may_be_an_array() -> None:
    """An array of numpy is a list of its numbers."""
    numpy = pytest.importorskip("numpy")

    assert check_values({"a": numpy.array([1, 2])}, "grid_dict") == {"a": [1, 2]}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, "grid_dict is None; expected a dictionary"),
        ([1], "grid_dict is [1]; expected a dictionary"),
        ({}, "grid_dict is empty"),
        ({"a": 1}, "grid_dict['a'] is 1; expected a list"),
        ({"a": "text"}, "grid_dict['a'] is 'text'; expected a list"),
        ({"a": b"x"}, "grid_dict['a'] is b'x'; expected a list"),
        ({"a": {"b": 1}}, "grid_dict['a'] is {'b': 1}; expected a list"),
        ({"a": []}, "grid_dict['a'] is empty"),
        ({"a": [1], "b": ()}, "grid_dict['b'] is empty"),
        ({1: [1]}, "grid_dict has the key 1"),
    ],
)
def test_wrong_values_are_refused(values: object, message: str) -> None:
    """The error names the argument and the key, and shows what it found."""
    with pytest.raises(SettingsError) as caught:
        check_values(values, "grid_dict")

    assert message in str(caught.value)
