import pytest

from hops.experiment.driver.view.text import LINE_CHARACTERS, clean, duration, label, value
from hops.experiment.record import Trial


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain é 漢 🎉\ttab", "plain é 漢 🎉\ttab"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("up\x1b[2A\x1b[2K\x1b[?25l", "up"),
        ("\x1b]0;my title\x07text", "text"),
        ("\x1b]52;c;aGk=\x1b\\text", "text"),
        ("\x1b]8;;http://e.invalid\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP1$q\x1b\\text", "text"),
        ("\x9b31mred", "red"),
        ("\x9d0;title\x9ctext", "text"),
        ("\x1bcreset", "reset"),
        ("\x1b(0graphics", "graphics"),
        ("bell\x07 back\x08 del\x7f nul\x00 next\x85", "bell back del nul next"),
        ("cut off \x1b[31", "cut off "),
        ("\x1b", ""),
        ("[bold]not markup[/bold] :smile:", "[bold]not markup[/bold] :smile:"),
    ],
)
def test_terminal_sequences_are_taken_out(line: str, shown: str) -> None:
    """Of a log line, the text is left, and nothing that a terminal would obey."""
    assert clean(line) == shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("10%\r50%\r100%", "100%"),
        ("10%\r50%\r", "50%"),
        ("text\r\n", "text"),
        ("10%\r\x1b[K50%", "50%"),
    ],
)
def test_progress_bars_show_their_last_state(line: str, shown: str) -> None:
    """Of a line that redraws itself with carriage returns, the last state is shown."""
    assert clean(line) == shown


def test_endless_lines_are_cut() -> None:
    """A line of megabytes shows its beginning and its length."""
    line = clean("x" * 10_000_000)

    assert len(line) < LINE_CHARACTERS + 50
    assert line.endswith("… (10,000,000 characters)")


@pytest.mark.parametrize(
    ("item", "shown"),
    [
        (0.97234567, "0.97235"),
        (1e-7, "1e-07"),
        (float("nan"), "NaN"),
        (float("-inf"), "-inf"),
        (1.0, "1"),
        (123456, "123456"),
        (10**15, "1e+15"),
        (10**400, "huge"),
        (True, "True"),
        (None, "None"),
        ("relu\x1b[31m", "relu"),
        ("x" * 100, "x" * 31 + "…"),
    ],
)
def test_values_are_short(item: object, shown: str) -> None:
    """A value takes few characters, a number five digits."""
    assert value(item) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0004, "0.4 ms"), (1.23, "1.2 s"), (75.2, "1 min 15 s"), (7384.0, "2 h 3 min")],
)
def test_durations_read_as_spoken(seconds: float, shown: str) -> None:
    """A time span has the unit that a person would choose."""
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [("", "trial"), ("a=1&b=2", "a=1&b=2"), ("x" * 100, "x" * 47 + "…#8")],
)
def test_labels_name_the_trial(name: str, shown: str) -> None:
    """A long name is cut, and then the number keeps it apart from the others."""
    trial = Trial(number=7, name=name, parameters={}, directory="Experiments/r")

    assert label(trial) == shown
