"""How much may be shown: thousands of trials, or one that prints in a loop, fill no terminal."""

from collections.abc import Callable


class Budget:
    """A number of things that may happen at once, and how fast that number comes back."""

    def __init__(self, *, burst: int, per_s: float, clock: Callable[[], float]) -> None:
        """Start with all of *burst* unspent.

        Args:
            burst: Most that can be spent at one moment.
            per_s: Regained every second.
            clock: Seconds, monotonic.

        Source:
            Token bucket, as in RFC 2697 with one colour.
        """
        self._burst = burst
        self._per_s = per_s
        self._clock = clock
        self._left = float(burst)
        self._at = clock()

    def take(self, wanted: int = 1) -> int:
        """Spend up to *wanted*, and return how many were left to spend."""
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        granted = min(wanted, int(self._left))
        self._left -= granted
        return granted
