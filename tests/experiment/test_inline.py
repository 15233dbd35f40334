import io
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from hops import experiment, tensorboard

INLINE: dict[str, Any] = {"engine": "inline", "verbose": False, "tensorboard": False}


def test_the_function_runs_in_the_callers_thread() -> None:
    """Breakpoints and unpicklable variables work: it is the same process and the same function."""
    lock = threading.Lock()

    def train(a: int) -> dict[str, Any]:
        with lock:
            return {"metric": a, "pid": os.getpid(), "thread": threading.get_ident()}

    result = experiment.grid_search(train, {"a": [1, 2]}, **INLINE)

    assert result.best_params == {"a": 2}
    assert result.best_outputs["pid"] == os.getpid()
    assert result.best_outputs["thread"] == threading.get_ident()


def test_standard_input_is_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    """`input()` reads what the caller types."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("typed\n"))

    assert experiment.launch(lambda: input(), **INLINE).outputs["metric"] == "typed"  # noqa: PLW0108


def test_output_is_shown_and_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """What the function prints goes to the caller's streams, and into the log."""
    logdir, _ = experiment.launch(lambda: print("hello"), **INLINE)

    assert capsys.readouterr().out == "hello\n"
    assert "hello" in Path(logdir, "output.log").read_text()


def test_the_process_is_left_as_it_was() -> None:
    """Working directory, environment and streams are put back, also when the function fails."""
    before = (dict(os.environ), Path.cwd(), sys.stdout, sys.stderr)

    experiment.launch(lambda a: 1 / a, {"a": [0, 1]}, **INLINE)

    assert before == (dict(os.environ), Path.cwd(), sys.stdout, sys.stderr)
    assert tensorboard.logdir() is None


def test_the_files_are_those_of_the_local_engine() -> None:
    """Both engines leave the same tree."""

    def train(a: int) -> dict[str, Any]:
        Path("note.txt").write_text("x")
        return {"metric": a, "note": "note.txt"}

    def files(engine: str) -> set[str]:
        options = {**INLINE, "engine": engine}
        root = Path(experiment.grid_search(train, {"a": [1, 2]}, **options).logdir)
        return {p.relative_to(root).as_posix() for p in root.rglob("*") if "tfevents" not in p.name}

    assert files("inline") == files("local")


def test_an_interrupt_ends_the_run() -> None:
    """Ctrl-C in the function ends the run at once, with the earlier trials kept."""

    def train(a: int) -> int:
        if a == 1:
            raise KeyboardInterrupt
        return a

    with pytest.raises(KeyboardInterrupt):
        experiment.grid_search(train, {"a": [0, 1, 2]}, **INLINE)


def test_the_variable_chooses_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """`HOPS_ENGINE` is asked where the call says nothing; the call goes before it."""
    monkeypatch.setenv("HOPS_ENGINE", "inline")
    quiet: dict[str, Any] = {"verbose": False, "tensorboard": False}

    assert experiment.launch(os.getpid, **quiet).outputs["metric"] == os.getpid()
    other = experiment.launch(os.getpid, engine="local", **quiet)
    assert other.outputs["metric"] != os.getpid()
