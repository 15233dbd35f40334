import io
import subprocess
import sys

import pytest

from hops.experiment.driver.view.console import (
    LOG_BURST_LINES,
    LOG_LINES_PER_S,
    TRIAL_BURST_LINES,
    ConsoleView,
    SilentView,
    View,
)
from hops.experiment.driver.view.table import ROWS
from hops.experiment.record import Outcome, State, Trial


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time that it shows."""
        return self.now


def _trial(number: int, name: str | None = None) -> Trial:
    called = f"a={number}" if name is None else name
    directory = f"Experiments/r/{called}" if called else "Experiments/r"
    return Trial(number=number, name=called, parameters={"a": number}, directory=directory)


def _ended(
    trial: Trial,
    metric: float | None = None,
    *,
    state: State = State.FINISHED,
    error: str | None = None,
    attempts: int = 1,
) -> Outcome:
    return Outcome(
        trial=trial,
        state=state,
        outputs=None if metric is None else {"accuracy": metric},
        metric=metric,
        error=error,
        seconds=1.25,
        attempts=attempts,
    )


def _view(file: io.StringIO, clock: Clock | None = None, *, total: int = 8) -> ConsoleView:
    return ConsoleView(
        name="mnist",
        total=total,
        metric_key="accuracy",
        direction="MAX",
        file=file,
        clock=clock or Clock(),
    )


def test_piped_output_is_plain_lines() -> None:
    """A pipe gets a line per ended trial, logs with the trial's name, and no control character."""
    file = io.StringIO()
    view = _view(file)
    view.start("hops: laptop")
    for number in range(2):
        view.trial_started(_trial(number))
        view.log(_trial(number), ["epoch 1", "\x1b[32mok\x1b[0m [i]x[/i]"], 0)
        view.tick()
        view.trial_ended(_ended(_trial(number), 0.97234567))
    view.note("TensorBoard: http://127.0.0.1:1/x/")

    assert file.getvalue().splitlines() == [
        "hops: laptop",
        "[a=0] epoch 1",
        "[a=0] ok [i]x[/i]",
        "trial 1/8 a=0 finished accuracy=0.97235 (1.2 s)",
        "[a=1] epoch 1",
        "[a=1] ok [i]x[/i]",
        "trial 2/8 a=1 finished accuracy=0.97235 (1.2 s)",
        "TensorBoard: http://127.0.0.1:1/x/",
    ]


def test_piped_result_has_table_counts_and_failures() -> None:
    """At the end stand the table, the counts, what failed with its log, and the last line."""
    file = io.StringIO()
    view = _view(file)
    view.start("header")
    outcomes = [_ended(_trial(i), i / 4) for i in range(3)]
    outcomes.append(_ended(_trial(3), state=State.FAILED, error="ValueError: boom"))
    file.truncate(0)
    view.close(outcomes, "Experiments/r")
    view.close(outcomes, "again")

    text = file.getvalue().replace("\0", "")
    assert all(character.isprintable() or character == "\n" for character in text)
    lines = [line.split() for line in text.splitlines() if line.strip()]
    assert lines[0] == ["trial", "a", "accuracy", "state", "time"]
    assert lines[2] == ["3", "2", "0.5", "best", "1.2", "s"]
    assert lines[5] == ["4", "3", "failed", "1.2", "s"]
    assert text.splitlines()[-4:] == [
        "4 trials: 3 finished, 1 failed; 0.0 ms",
        "failed: a=3: ValueError: boom",
        "  log: Experiments/r/a=3/output.log",
        "Experiments/r",
    ]


def test_a_single_trial_has_no_table() -> None:
    """A run of one trial shows its log, its end and the last line."""
    file = io.StringIO()
    view = _view(file, total=1)
    view.start("header")
    trial = _trial(0, name="")
    view.log(trial, ["hello"], 0)
    outcome = _ended(trial, state=State.FAILED, error="ValueError: boom", attempts=2)
    view.trial_ended(outcome)
    view.close([outcome], "Experiments/r")

    assert file.getvalue().splitlines() == [
        "header",
        "[trial] hello",
        "trial failed: ValueError: boom, log: Experiments/r/output.log (1.2 s, 2 attempts)",
        "Experiments/r",
    ]


def test_a_long_error_is_shortened() -> None:
    """Each of its lines fits on a screen; all of it is in the log, which is named."""
    file = io.StringIO()
    view = _view(file, total=1)
    view.start("header")
    error = f"ValueError: {'x' * 5000}\n\x1b[31msecond line"
    outcome = _ended(_trial(0), state=State.FAILED, error=error)
    view.trial_ended(outcome)
    view.close([outcome], "end")

    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) < 400
    assert len([line for line in lines if "ValueError: xxx" in line and line.endswith("x…")]) == 2
    assert "second line, log: Experiments/r/a=0/output.log (1.2 s)" in lines
    assert "second line" in lines
    assert lines.count("  log: Experiments/r/a=0/output.log") == 1


def test_one_trial_is_singular() -> None:
    """The counts say `1 trial`, also of what the table leaves out."""
    file = io.StringIO()
    view = _view(file, total=1)
    view.start("header")
    view.close([_ended(_trial(0), 0.5)], "end")
    view = _view(file)
    view.start("header")
    view.close([_ended(_trial(number), 0.5) for number in range(ROWS + 1)], "end")

    assert "\n1 trial: 1 finished; " in file.getvalue()
    assert "\n… and 1 more trial\n" in file.getvalue()


def test_thousands_of_trials_make_few_lines() -> None:
    """Finished trials are told at a limited rate, failed ones always, and the last one too."""
    file, clock = io.StringIO(), Clock()
    view = _view(file, clock, total=5000)
    for number in range(5000):
        clock.now += 0.0001
        state = State.FAILED if number % 1000 == 500 else State.FINISHED
        view.trial_ended(_ended(_trial(number), None, state=state, error="E: x"))

    lines = file.getvalue().splitlines()
    finished = [line for line in lines if "finished" in line]
    assert TRIAL_BURST_LINES <= len(finished) <= TRIAL_BURST_LINES + 6
    assert len([line for line in lines if "failed" in line]) == 5
    assert lines[-1].startswith("trial 5000/5000 ")


def test_a_flood_of_lines_is_skipped_and_counted() -> None:
    """Beyond the budget, lines are counted, told once per second, and named with their log."""
    file, clock = io.StringIO(), Clock()
    view = _view(file, clock)
    view.log(_trial(0), [f"line {i}" for i in range(10_000)], 500)
    view.tick()
    assert len(file.getvalue().splitlines()) == LOG_BURST_LINES

    clock.now += 1.0
    view.tick()
    view.tick()
    view.log(_trial(0), ["more"] * 1000, 0)
    assert file.getvalue().splitlines()[LOG_BURST_LINES:] == [
        "[a=0] … 9,500 lines skipped, all are in Experiments/r/a=0/output.log",
        *["[a=0] more"] * LOG_LINES_PER_S,
    ]

    view.trial_ended(_ended(_trial(0)))
    report, _ = file.getvalue().splitlines()[-2:]
    assert report == "[a=0] … 800 lines skipped, all are in Experiments/r/a=0/output.log"


def test_floods_of_many_trials_are_told_together() -> None:
    """When many trials print too much, one line counts for all of them."""
    file, clock = io.StringIO(), Clock()
    view = _view(file, clock)
    view.log(_trial(0), ["x"] * LOG_BURST_LINES, 0)
    for number in range(2000):
        view.log(_trial(number), ["y"], 1)
        view.trial_ended(_ended(_trial(number)))
    told_alone = file.getvalue().count("2 lines skipped")
    view.close([], "end")

    assert told_alone < 20
    assert f"{2 * (2000 - told_alone):,} lines of" in file.getvalue().splitlines()[-2]


def test_resumed_trials_are_counted() -> None:
    """Trials that an earlier driver has finished are not told again."""
    file = io.StringIO()
    view = _view(file, total=2)
    view.start("header", [_ended(_trial(0), 0.5)])
    view.trial_ended(_ended(_trial(1), 0.6))

    assert file.getvalue().splitlines() == [
        "header",
        "trial 2/2 a=1 finished accuracy=0.6 (1.2 s)",
    ]


class _Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError(text)


class _Full(io.StringIO):
    def write(self, text: str) -> int:
        if text.startswith("lost"):
            raise BlockingIOError
        return super().write(text)


def _all_of(view: ConsoleView) -> None:
    view.start("header ✓")
    view.log(_trial(0), ["漢字 \udcff"], 0)
    view.tick()
    view.trial_ended(_ended(_trial(0), 0.5))
    view.close([_ended(_trial(0), 0.5)], "end …")


def test_a_closed_reader_fails_nothing() -> None:
    """Where nobody reads any more, nothing is raised."""
    _all_of(_view(_Broken()))
    closed = io.StringIO()
    closed.close()
    _all_of(_view(closed))


def test_no_standard_output_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program without a standard output runs."""
    monkeypatch.setattr(sys, "stdout", None)

    _all_of(ConsoleView(name="x", total=1, metric_key=None, direction=None))


def test_a_full_terminal_loses_only_what_did_not_fit() -> None:
    """What a terminal that does not wait refuses is lost, what comes later is shown."""
    file = _Full()
    view = _view(file)
    view.note("lost")
    view.note("kept")

    assert file.getvalue() == "kept\n"


def test_unknown_characters_are_replaced() -> None:
    """An encoding that lacks a character shows another one, also in the table's lines."""
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    view = ConsoleView(name="é", total=8, metric_key="accuracy", direction="MAX", file=file)
    _all_of(view)

    text = raw.getvalue().decode("ascii")
    assert text.startswith("header ?\n[a=0] ?? ?\n")
    assert "|trial | a | accuracy | state |" in text
    assert text.endswith("end ?\n")


def test_silence_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """The view of `verbose=False` writes nothing."""
    view: View = SilentView()
    view.start("header")
    view.trial_started(_trial(0))
    view.log(_trial(0), ["x"], 1)
    view.note("x")
    view.tick()
    view.trial_ended(_ended(_trial(0)))
    view.close([], "x")

    assert capsys.readouterr() == ("", "")


def test_rich_waits_for_the_first_table() -> None:
    """Neither importing the view nor its first line imports rich: the first trial need not wait."""
    program = """
import sys
from hops.experiment.driver.view.console import ConsoleView, SilentView
view = ConsoleView(name="x", total=1, metric_key=None, direction=None)
view.start("header")
view.tick()
view.close([], "footer")
sys.exit("rich" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "header\nfooter\n"
