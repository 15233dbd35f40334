"""Passes what happens in a run on to those who show it: console, TensorBoard, HParams tab."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from hops.experiment.driver.events import Ended, Event, Logged, Noted, Started
from hops.experiment.driver.view.console import ConsoleView, SilentView, View

if TYPE_CHECKING:
    from hops.experiment.driver.plan import Plan
    from hops.experiment.driver.view.board import Board
    from hops.experiment.record import Outcome
    from hops.hdfs.store import Store


class Observer:
    """Called from the driver's main thread only."""

    def __init__(self, plan: "Plan", store: "Store", directory: str) -> None:
        """Prepare to show the run in *directory*, relative to the project."""
        self._plan = plan
        self._store = store
        self._directory = directory
        self._view = _view(plan)
        self._board: Board | None = None
        self._has_board = plan.settings.tensorboard

    def start(self, header: str) -> None:
        """Begin with the first line."""
        self._view.start(header)

    def see(self, event: Event) -> None:
        """Show what has happened."""
        match event:
            case Started(trial, directory):
                self._view.trial_started(trial)
                self._try(lambda board: board.started(trial, directory))
            case Logged(trial, lines, skipped):
                self._view.log(trial, lines, skipped)
            case Ended(outcome):
                self._view.trial_ended(outcome)
                self._try(lambda board: board.ended(outcome))
            case Noted(text):
                self._view.note(text)

    def note(self, line: str) -> None:
        """Show a line of ours."""
        self._view.note(line)

    def tick(self) -> None:
        """Redraw, and see whether TensorBoard has something to say."""
        if self._board is not None:
            self._try(lambda board: self._note_all(board.news()))
        self._view.tick()

    def close(self, outcomes: Sequence["Outcome"], footer: str) -> None:
        """End TensorBoard, and show the result; the last line is *footer*."""
        if self._board is not None:
            self._try(lambda board: self._note_all(board.close()))
        self._view.close(outcomes, footer)

    def _note_all(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._view.note(line)

    def _try(self, action: "Callable[[Board], None]") -> None:
        """Do something with the board; a run goes on without it if the disk is full."""
        if not self._has_board:
            return
        # Imported when the first trial runs, so that it does not wait for this.
        from hops.experiment.driver.view.board import Board
        from hops.experiment.driver.view.hparams import is_installed
        from hops.experiment.driver.view.tensorboard import INSTALL

        if self._board is None and not is_installed():
            self._without_board(INSTALL)
            return
        try:
            self._board = self._board or Board(self._plan, self._store, self._directory)
            action(self._board)
        except OSError as error:
            self._without_board(f"TensorBoard cannot be shown any further: {error}")

    def _without_board(self, reason: str) -> None:
        self._has_board = False
        self._view.note(reason)


def _view(plan: "Plan") -> View:
    if not plan.settings.verbose:
        return SilentView()
    return ConsoleView(
        name=plan.name,
        total=plan.search.total,
        metric_key=plan.metric_key,
        direction=plan.direction,
        bar=plan.settings.engine != "inline",  # a debugger needs the cursor
    )
