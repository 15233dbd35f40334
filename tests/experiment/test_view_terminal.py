import io
import itertools
import os
import pty
import re
import sys
import threading
from collections.abc import Iterator
from types import ModuleType

import pytest

from hops.experiment.driver.view import screen
from hops.experiment.driver.view.console import ConsoleView
from hops.experiment.record import Outcome, State, Trial


class Terminal:
    """A terminal that keeps all that is written to it."""

    def __init__(self) -> None:
        self._reader, writer = pty.openpty()
        self.file = os.fdopen(writer, "w", encoding="utf-8")
        self._seen = b""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        try:
            while data := os.read(self._reader, 65536):
                self._seen += data
        except OSError:  # Linux says so where others end the file
            pass

    def text(self) -> str:
        """End the terminal, and return all that it has shown."""
        self.file.close()
        self._thread.join()
        os.close(self._reader)
        return self._seen.decode().replace("\r\n", "\n")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A colour terminal of 100 columns."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    try:
        made = Terminal()
    except OSError as error:
        pytest.skip(f"there is no pseudo-terminal to be had: {error}")
    yield made
    if not made.file.closed:
        made.text()


def _trial(number: int) -> Trial:
    name = f"a={number}"
    return Trial(number=number, name=name, parameters={"a": number}, directory=f"E/r/{name}")


def _outcome(number: int) -> Outcome:
    state = State.FAILED if number == 1 else State.FINISHED
    metric = None if number == 1 else number / 4
    return Outcome(trial=_trial(number), state=state, metric=metric, error="ValueError: boom")


def _run(view: ConsoleView) -> None:
    view.start("hops: laptop")
    for number in range(3):
        view.trial_started(_trial(number))
        view.log(_trial(number), ["[bold]epoch[/bold] 1 :smile:"], 0)
        view.tick()
        view.trial_ended(_outcome(number))
    view.close([_outcome(number) for number in range(3)], "the end")


def _view(**options: object) -> ConsoleView:
    settings = {"name": "mnist", "total": 3, "metric_key": "accuracy", "direction": "MAX"}
    return ConsoleView(**settings | options)  # type: ignore[arg-type]


def test_a_terminal_has_a_bar_and_lines(terminal: Terminal) -> None:
    """On a terminal a bar counts, logs stand above it as they are, and the cursor comes back."""
    _run(_view(file=terminal.file, clock=itertools.count(1.0).__next__))

    text = terminal.text()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert "━" in plain
    assert re.search(r"mnist · 2/3 · 1 running · [0-9.]+ s · 1 failed · best accuracy=0", plain)
    assert "[a=2] [bold]epoch[/bold] 1 :smile:\n" in plain
    assert "trial 2/3 a=1 failed: ValueError: boom, log: E/r/a=1/output.log (0.0 ms)\n" in plain
    assert "trial 1/3" not in plain, "the bar counts finished trials"
    assert text.index("\x1b[?25l") < text.index("\x1b[?25h")
    after = plain[plain.rindex("━") :]
    assert re.search(r" 3 +2 +0.5 +best +0.0 ms", after)
    assert after.endswith("the end\n")


def test_the_header_does_not_wait_for_rich(terminal: Terminal) -> None:
    """The first line is written before rich is imported; the bar comes with the first tick."""
    modules = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_rich(name)}
    try:
        view = _view(file=terminal.file)
        view.start("hops: laptop")
        assert not any(map(_is_rich, sys.modules))
        view.tick()
        assert any(map(_is_rich, sys.modules))
        view.close([], "end")
    finally:
        sys.modules.update(modules)


def _is_rich(name: str) -> bool:
    return name == "rich" or name.startswith("rich.")


def test_no_thread_stays(terminal: Terminal) -> None:
    """The bar is redrawn by the caller, not by a thread of its own."""
    before = threading.active_count()
    view = _view(file=terminal.file)
    view.start("header")
    view.tick()

    assert threading.active_count() == before
    view.close([], "end")


def test_a_dumb_terminal_gets_plain_lines(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal that cannot move its cursor gets what a pipe gets."""
    monkeypatch.setenv("TERM", "dumb")
    _run(_view(file=terminal.file))

    text = terminal.text()
    assert "\x1b" not in text
    assert "trial 1/3 a=0 finished accuracy=0 (0.0 ms)\n" in text


def test_a_bar_can_be_left_out(terminal: Terminal) -> None:
    """Without a bar, a terminal gets plain lines and keeps its cursor."""
    view = ConsoleView(
        name="x", total=3, metric_key=None, direction=None, file=terminal.file, bar=False
    )
    _run(view)

    assert "\x1b" not in terminal.text()


def test_what_the_program_prints_stands_above_the_bar(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the bar is there, other output of the program does not run into it."""
    monkeypatch.setattr(sys, "stdout", terminal.file)
    view = _view()
    view.start("header")
    view.tick()
    sys.stdout.write("from the program\n")
    view.close([], "the end")

    assert sys.stdout is terminal.file
    assert re.search(r"\x1b\[2Kfrom the program\n.*━.*the end\n$", terminal.text(), re.DOTALL)


class ZMQInteractiveShell:
    """Named as the shell of a notebook."""


def _notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    ipython = ModuleType("IPython")
    ipython.get_ipython = ZMQInteractiveShell  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)


def test_a_notebook_without_widgets_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ipywidgets a notebook gets plain lines and a plain table, and no warning."""
    _notebook(monkeypatch)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    file = io.StringIO()
    monkeypatch.setattr(sys, "stdout", file)
    _run(_view())

    assert "trial 1/3 a=0 finished accuracy=0 (0.0 ms)\n" in file.getvalue()
    assert "\x1b" not in file.getvalue()


def test_a_notebook_with_widgets_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook is known by its shell, and can show a bar where ipywidgets is installed."""
    assert not screen.is_notebook()
    _notebook(monkeypatch)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: object())

    assert screen.is_notebook()
