"""Where the view is drawn: plain lines, or rich's progress bar with the lines above it.

rich is imported when the first bar or table is drawn, not before: the first trial need not wait.
"""

import io
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TextIO, cast

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from hops.experiment.driver.view.table import Table

_BAR_WIDTH = 16
_WIDE = 100_000
"""Columns of output that goes to a file: nothing is folded or cut there."""


class SafeFile(io.TextIOBase):
    """A text file that never raises: a closed pipe or a missing glyph must not fail a run.

    What the encoding cannot express is replaced; after the first failure, all is dropped.
    """

    def __init__(self, file: TextIO | None) -> None:
        """Write to *file*; `None`, as `sys.stdout` is in a program without one, drops all."""
        super().__init__()
        self._file = file

    @property
    def encoding(self) -> str:  # type: ignore[override] # typeshed lets nobody answer it
        """The file's own, UTF-8 where it does not say."""
        return getattr(self._file, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        """Tell whether a person is looking."""
        try:
            return self._file is not None and self._file.isatty()
        except (OSError, ValueError):
            return False

    def fileno(self) -> int:
        """Return the descriptor, for the size of the terminal.

        Raises:
            OSError: There is none.
        """
        if self._file is None:
            raise io.UnsupportedOperation
        return self._file.fileno()

    def write(self, text: str) -> int:
        """Write what can be written; the answer is always the whole length."""
        try:
            self._write(text)
        except BlockingIOError:
            pass  # a terminal that does not wait is full: this much is lost, the next may fit
        except (OSError, ValueError):
            self._file = None
        return len(text)

    def flush(self) -> None:
        """Bring what was written to the reader."""
        try:
            if self._file is not None:
                self._file.flush()
        except BlockingIOError:
            pass
        except (OSError, ValueError):
            self._file = None

    def _write(self, text: str) -> None:
        if self._file is None:
            return
        try:
            self._file.write(text)
        except UnicodeEncodeError:
            known = text.encode(self.encoding, errors="replace").decode(self.encoding)
            self._file.write(known)


class Screen(Protocol):
    """What a console view draws on."""

    def lines(self, lines: Sequence[str], prefix: str = "") -> None:
        """Add *lines*, each with *prefix* before it."""
        ...

    def progress(self, done: int, total: int | None, status: str) -> None:
        """Redraw the bar; a `total` of `None` is unknown."""
        ...

    def table(self, table: "Table") -> None:
        """Add a table."""
        ...

    def close(self) -> None:
        """Take the bar away."""
        ...


class PlainScreen:
    """Lines in a file or a pipe, without a single control character."""

    def __init__(self, file: SafeFile) -> None:
        """Write to *file*."""
        self._file = file

    def lines(self, lines: Sequence[str], prefix: str = "") -> None:
        """See `Screen.lines`."""
        self._file.write("".join(f"{prefix}{line}\n" for line in lines))
        self._file.flush()

    def progress(self, done: int, total: int | None, status: str) -> None:
        """Draw nothing: there is no bar on paper."""

    def table(self, table: "Table") -> None:
        """See `Screen.table`."""
        from rich.console import Console

        console = Console(
            file=cast("TextIO", self._file),
            width=_WIDE,
            color_system=None,
            force_terminal=False,
            force_jupyter=False,
        )
        with console.capture() as captured:
            console.print(_drawn(table))
        self.lines([line.rstrip() for line in captured.get().splitlines()])

    def close(self) -> None:
        """Do nothing: all is written."""


class RichScreen:
    """A terminal, or a notebook's output, with one bar below the lines."""

    def __init__(self, file: SafeFile, *, jupyter: bool, redirect: bool) -> None:
        """Import rich and draw an empty bar.

        Args:
            file: A terminal; unused in a notebook.
            jupyter: Whether this is a notebook's output, and ipywidgets can be imported.
            redirect: Whether what the program prints meanwhile is put above the bar as well.
        """
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        self._console: Console = Console(
            file=cast("TextIO", file), force_terminal=not jupyter, force_jupyter=jupyter
        )
        text = TextColumn("{task.fields[status]}", markup=False)
        self._bar: Progress = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=_BAR_WIDTH),
            text,
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=redirect,
            redirect_stderr=redirect,
        )
        self._task = self._bar.add_task("", total=None, status="")
        self._waiting: list[str | tuple[str, str]] = []
        self._bar.start()

    def lines(self, lines: Sequence[str], prefix: str = "") -> None:
        """See `Screen.lines`; they appear with the next redraw, because each one costs a redraw."""
        for line in lines:
            self._waiting += ((prefix, "dim"), line, "\n")
        if not self._bar.live.is_started:
            self._show_waiting()

    def progress(self, done: int, total: int | None, status: str) -> None:
        """See `Screen.progress`."""
        self._bar.update(self._task, completed=done, total=total, status=status)
        self._show_waiting()
        self._bar.refresh()

    def table(self, table: "Table") -> None:
        """See `Screen.table`."""
        self._show_waiting()
        self._console.print(_drawn(table))

    def close(self) -> None:
        """See `Screen.close`."""
        self._show_waiting()
        self._bar.stop()

    def _show_waiting(self) -> None:
        """Print what waits: nothing in it is read as markup, a link or an emoji."""
        from rich.text import Text

        if self._waiting:
            self._console.print(Text.assemble(*self._waiting), soft_wrap=True, end="")
            self._waiting.clear()


def _drawn(table: "Table") -> "RichTable":
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        drawn.add_column(
            Text(column.heading), justify="right" if column.right else "left", no_wrap=True
        )
    for number, row in enumerate(table.rows):
        style = "bold green" if number == table.best else None
        drawn.add_row(*map(Text, row), style=style)
    return drawn


def is_terminal(file: SafeFile) -> bool:
    """Tell whether *file* is a terminal that can move its cursor."""
    return file.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}


def is_notebook() -> bool:
    """Tell whether output goes to a notebook that can show a bar: it needs ipywidgets for it."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if type(shell).__name__ not in {"ZMQInteractiveShell", "Shell"}:  # the second is Colab's
        return False
    from importlib.util import find_spec

    return find_spec("ipywidgets") is not None
