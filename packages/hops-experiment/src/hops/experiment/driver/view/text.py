"""Text for a terminal: made harmless, and short.

Logs come from code that nobody has checked. What would move the cursor, recolour the screen, set
the title or answer as if typed is taken out before it reaches the user's terminal.
"""

import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hops.experiment.record import Trial

LINE_CHARACTERS = 10_000
"""Longest part of a log line that is shown; all of it is in the trial's log."""

_LABEL_CHARACTERS = 48
_VALUE_CHARACTERS = 32
_WHOLE_DIGITS = 12
_TENTH_S = 0.1
_MINUTE_S = 60
_HOUR_S = 3600

_CONTROLS = re.compile(
    r"""
    (?: \x1b\[ | \x9b ) [0-?]* [ -/]* [@-~]?                        # CSI: colours, cursor
    | (?: \x1b\] | \x9d ) [^\x07\x1b\x9c]* (?: \x07 | \x1b\\ | \x9c )?  # OSC: title, clipboard
    | (?: \x1b[PX^_] | [\x90\x98\x9e\x9f] ) [^\x1b\x9c]* (?: \x1b\\ | \x9c )?  # DCS SOS PM APC
    | \x1b [ -/]* [0-~]?                                            # every other escape
    | [\x00-\x08\x0a-\x1f\x7f-\x9f]                                 # C0 but tab, DEL, C1
    """,
    re.VERBOSE,
)


def clean(line: str) -> str:
    r"""Return what of *line* may be shown: no terminal sequences, no control character but tab.

    Of a progress bar that redraws itself with carriage returns, the last state is left.

    Source:
        ECMA-48, 5th edition: C0, C1, and the control sequences that they introduce.

    Example:
        >>> clean("10%\r100%\x1b[31m done\x1b[0m\r")
        '100% done'
    """
    last = line.rstrip("\r\n").rpartition("\r")[2]
    if len(last) > LINE_CHARACTERS:
        last = f"{last[:LINE_CHARACTERS]}… ({len(last):,} characters)"
    return last if last.isprintable() else _CONTROLS.sub("", last)


def shorten(text: str, characters: int) -> str:
    """Cut *text* to that many characters, the last being `…`."""
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def label(trial: "Trial") -> str:
    """Name a trial on the screen: its directory's name, `trial` where it has none.

    A name that has to be cut gets the trial's number, because what differs may be behind the cut.
    """
    name = clean(trial.name) or "trial"
    if len(name) <= _LABEL_CHARACTERS:
        return name
    return f"{shorten(name, _LABEL_CHARACTERS)}#{trial.number + 1}"


def value(item: Any) -> str:  # noqa: ANN401 - a parameter or an output can be anything
    """Write a parameter or an output in a few characters; numbers with 5 significant digits.

    Example:
        >>> value(0.30000000000000004), value(float("nan")), value("relu"), value([1, 2])
        ('0.3', 'NaN', 'relu', '[1, 2]')
    """
    if isinstance(item, float):
        return "NaN" if math.isnan(item) else f"{item:.5g}"
    if isinstance(item, int) and not isinstance(item, bool) and abs(item) >= 10**_WHOLE_DIGITS:
        return f"{item:.5g}" if abs(item) < 10**300 else "huge"
    return shorten(clean(item if isinstance(item, str) else str(item)), _VALUE_CHARACTERS)


def duration(seconds: float) -> str:
    """Write a time span as a person would say it.

    Example:
        >>> duration(0.0123), duration(1.23), duration(75.2), duration(7384)
        ('12.3 ms', '1.2 s', '1 min 15 s', '2 h 3 min')
    """
    if seconds < _TENTH_S:
        return f"{seconds * 1000:.1f} ms"
    if seconds < _MINUTE_S:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min {whole % _MINUTE_S} s"
    return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S} min"
