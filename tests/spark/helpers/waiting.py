"""Waiting for what other processes do."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")

PATIENCE_S = 120.0
"""Bound for what a quiet machine does in seconds; it only ends tests that would wait for ever."""


def until(
    condition: Callable[[], T], *, said: Callable[[], str], within_s: float = PATIENCE_S
) -> T:
    """Return the first true value of *condition*.

    The test fails where none comes, with what *said* returns then.
    """
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {within_s:g} s in vain\n{said()}", pytrace=False)
        time.sleep(0.02)
    return value
