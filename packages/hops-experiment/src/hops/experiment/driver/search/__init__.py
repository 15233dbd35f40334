"""Searches: what to try next. Each is asked for parameters and told how they did."""

from typing import Any, Protocol


class Search(Protocol):
    """Ask and tell. Called by one thread at a time."""

    @property
    def total(self) -> int | None:
        """How many trials there will be; `None` where it is not known."""

    def ask(self) -> dict[str, Any] | None:
        """Return the next parameters, in the order of the function's arguments.

        Raises:
            StopIteration: There are no more, and there will be none.

        Returns:
            `None` where the search waits for a trial that runs.
        """

    def tell(self, parameters: dict[str, Any], metric: float | None) -> None:
        """Learn how a trial did; `None` if it failed."""
