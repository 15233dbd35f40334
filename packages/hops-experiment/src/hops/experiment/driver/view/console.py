"""The console of a run: a bar or plain lines while it lives, a table at its end.

All methods are called from the driver's main thread, and cost microseconds when there is nothing to
draw: a run of a thousand trials per second is not slowed by being watched.
"""

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TextIO

from hops.experiment.driver.view import screen as screens
from hops.experiment.driver.view.budget import Budget
from hops.experiment.driver.view.table import is_better, numbers, result_table
from hops.experiment.driver.view.text import clean, duration, label, shorten, value
from hops.experiment.record import LOG_FILE, State

if TYPE_CHECKING:
    from hops.experiment.record import Outcome, Trial

LOG_BURST_LINES = 1000
LOG_LINES_PER_S = 200
TRIAL_BURST_LINES = 100
TRIAL_LINES_PER_S = 10
REPORT_BURST_LINES = 10
REPORT_LINES_PER_S = 2
REDRAWS_PER_S = 10
NOTEBOOK_REDRAWS_PER_S = 2

_REPORT_S = 1.0
_SINGLE_REPORTS = 3
_FAILED_TRIALS = 10
_OUTPUTS = 3
_ERROR_CHARACTERS = 300


class View(Protocol):
    """What the driver tells about a run while it lives."""

    def start(self, header: str, done: Sequence["Outcome"] = ()) -> None:
        """Begin.

        Args:
            header: The first line: platform, engine and directory.
            done: Trials that ended before a resumed run was interrupted.
        """
        ...

    def trial_started(self, trial: "Trial") -> None:
        """Count a trial as running; an attempt after the first is not told again."""
        ...

    def trial_ended(self, outcome: "Outcome") -> None:
        """Count a trial as ended, and say so."""
        ...

    def log(self, trial: "Trial", lines: list[str], skipped: int) -> None:
        """Show what a trial printed.

        Args:
            trial: Who printed.
            lines: Without their line ends.
            skipped: How many more lines the sender has left out before *lines*.
        """
        ...

    def note(self, line: str) -> None:
        """Show a line of the run itself."""
        ...

    def tick(self) -> None:
        """Redraw what has changed; called often, while the run waits for its trials."""
        ...

    def close(self, outcomes: Sequence["Outcome"], footer: str) -> None:
        """End: the table, the counts, what failed and where its log is; a second call does nothing.

        Args:
            outcomes: All trials of the run that ended.
            footer: The last line.
        """
        ...


class SilentView:
    """Shows nothing: the view of `verbose=False`."""

    def start(self, header: str, done: Sequence["Outcome"] = ()) -> None:
        """See `View.start`."""

    def trial_started(self, trial: "Trial") -> None:
        """See `View.trial_started`."""

    def trial_ended(self, outcome: "Outcome") -> None:
        """See `View.trial_ended`."""

    def log(self, trial: "Trial", lines: list[str], skipped: int) -> None:
        """See `View.log`."""

    def note(self, line: str) -> None:
        """See `View.note`."""

    def tick(self) -> None:
        """See `View.tick`."""

    def close(self, outcomes: Sequence["Outcome"], footer: str) -> None:
        """See `View.close`."""


class ConsoleView:
    """Shows a run on a terminal, in a notebook, or as plain lines in a file or a pipe."""

    def __init__(  # noqa: PLR0913 - what there is to say about a run
        self,
        *,
        name: str,
        total: int | None,
        metric_key: str | None,
        direction: str | None,
        file: TextIO | None = None,
        bar: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is written, and rich is not imported.

        Args:
            name: Of the experiment, beside the bar; may be empty.
            total: How many trials there will be; `None` if nobody knows yet.
            metric_key: The output that trials are compared by; `None` where there is none.
            direction: `MAX` or `MIN`; `None` where trials are not compared.
            file: Where to write; `None` is `sys.stdout`.
            bar: Whether there is one where it can be drawn. Without it there are plain lines, and
                nothing hides the cursor: a debugger in an inline trial needs it.
            clock: Seconds, monotonic.
        """
        self._name = clean(name)
        self._total = total
        self._metric_key = metric_key
        self._direction = direction
        self._redirect = file is None
        self._file = screens.SafeFile(sys.stdout if file is None else file)
        self._clock = clock
        self._screen: screens.Screen = screens.PlainScreen(self._file)
        self._bar = bar
        self._live = False
        self._notebook = False
        self._closed = False
        self._running: set[int] = set()
        self._done = 0
        self._failed = 0
        self._best: Outcome | None = None
        self._skipped: dict[int, tuple[Trial, int]] = {}
        self._began = self._drawn = self._reported = clock()
        self._log_lines = Budget(burst=LOG_BURST_LINES, per_s=LOG_LINES_PER_S, clock=clock)
        self._trial_lines = Budget(burst=TRIAL_BURST_LINES, per_s=TRIAL_LINES_PER_S, clock=clock)
        self._reports = Budget(burst=REPORT_BURST_LINES, per_s=REPORT_LINES_PER_S, clock=clock)

    def start(self, header: str, done: Sequence["Outcome"] = ()) -> None:
        """See `View.start`."""
        self._notebook = self._redirect and screens.is_notebook()
        self._live = self._bar and (self._notebook or screens.is_terminal(self._file))
        self._began = self._clock()
        self.note(header)
        for outcome in done:
            self._count(outcome)

    def trial_started(self, trial: "Trial") -> None:
        """See `View.trial_started`."""
        self._running.add(trial.number)

    def trial_ended(self, outcome: "Outcome") -> None:
        """See `View.trial_ended`."""
        self._running.discard(outcome.trial.number)
        self._count(outcome)
        if outcome.trial.number in self._skipped and self._reports.take():
            self._report(*self._skipped.pop(outcome.trial.number))
        failed = outcome.state is State.FAILED
        last = self._done == self._total
        if failed or (not self._live and (last or self._trial_lines.take())):
            self.note(self._ending(outcome))

    def log(self, trial: "Trial", lines: list[str], skipped: int) -> None:
        """See `View.log`."""
        shown = self._log_lines.take(len(lines))
        skipped += len(lines) - shown
        if shown:
            self._screen.lines([clean(line) for line in lines[:shown]], f"[{label(trial)}] ")
        if skipped:
            before = self._skipped.get(trial.number, (trial, 0))[1]
            self._skipped[trial.number] = trial, before + skipped

    def note(self, line: str) -> None:
        """See `View.note`."""
        self._screen.lines([clean(part) for part in line.splitlines()])

    def tick(self) -> None:
        """See `View.tick`; the first one on a terminal or in a notebook imports rich."""
        now = self._clock()
        if self._skipped and now - self._reported >= _REPORT_S:
            self._report_all()
        if not self._live or self._closed:
            return
        if isinstance(self._screen, screens.PlainScreen):
            self._screen = screens.RichScreen(
                self._file,
                jupyter=self._notebook,
                redirect=self._redirect and not self._notebook,
            )
        elif now - self._drawn < 1 / (NOTEBOOK_REDRAWS_PER_S if self._notebook else REDRAWS_PER_S):
            return
        self._drawn = now
        self._screen.progress(self._done, self._total, self._status())

    def close(self, outcomes: Sequence["Outcome"], footer: str) -> None:
        """See `View.close`."""
        if self._closed:
            return
        self._closed = True
        self._report_all()
        self._screen.close()
        if self._is_search(outcomes):
            self._show_table(outcomes)
            self.note(self._counts(outcomes))
            self._show_failed(outcomes)
        self.note(footer)

    def _count(self, outcome: "Outcome") -> None:
        self._done += 1
        self._failed += outcome.state is State.FAILED
        if self._direction is None or outcome.state is not State.FINISHED:
            return
        best = None if self._best is None else self._best.metric
        if outcome.metric is not None and is_better(outcome.metric, best, self._direction):
            self._best = outcome

    def _ending(self, outcome: "Outcome") -> str:
        trial = outcome.trial
        of = "" if self._total is None else f"/{self._total}"
        words = ["trial", *([f"{trial.number + 1}{of}", label(trial)] if trial.name else [])]
        words.append(outcome.state.lower())
        if outcome.state is State.FAILED:
            words[-1] = f"failed: {_error(outcome).rstrip('.')}, log: {trial.directory}/{LOG_FILE}"
        outputs = list(numbers(outcome, self._metric_key).items())[:_OUTPUTS]
        words += [f"{name}={value(item)}" for name, item in outputs]
        attempts = f", {outcome.attempts} attempts" if outcome.attempts > 1 else ""
        return f"{' '.join(words)} ({duration(outcome.seconds)}{attempts})"

    def _status(self) -> str:
        of = "" if self._total is None else f"/{self._total}"
        parts = [duration(self._clock() - self._began)]
        if self._total != 1:
            parts = [f"{self._done}{of}", f"{len(self._running)} running", *parts]
        if self._failed:
            parts.append(f"{self._failed} failed")
        if self._best is not None:
            parts.append(f"best {self._metric_key or 'metric'}={value(self._best.metric)}")
        return " · ".join([self._name, *parts] if self._name else parts)

    def _report(self, trial: "Trial", skipped: int) -> None:
        lines = "line" if skipped == 1 else "lines"
        where = f"{trial.directory}/{LOG_FILE}"
        self.note(f"[{label(trial)}] … {skipped:,} {lines} skipped, all are in {where}")

    def _report_all(self) -> None:
        self._reported = self._clock()
        pending = list(self._skipped.values())
        self._skipped.clear()
        if len(pending) <= _SINGLE_REPORTS:
            for trial, skipped in pending:
                self._report(trial, skipped)
            return
        skipped = sum(count for _, count in pending)
        where = f"the {LOG_FILE} of each"
        self.note(f"… {skipped:,} lines of {len(pending):,} trials skipped, all are in {where}")

    def _is_search(self, outcomes: Sequence["Outcome"]) -> bool:
        return any(outcome.trial.name for outcome in outcomes)

    def _show_table(self, outcomes: Sequence["Outcome"]) -> None:
        table = result_table(outcomes, metric_key=self._metric_key, direction=self._direction)
        self._screen.table(table)
        if table.left_out:
            trials = "trial" if table.left_out == 1 else "trials"
            self.note(f"… and {table.left_out:,} more {trials}")

    def _counts(self, outcomes: Sequence["Outcome"]) -> str:
        states = [outcome.state for outcome in outcomes]
        counts = [f"{states.count(each):,} {each.lower()}" for each in State if each in states]
        took = duration(self._clock() - self._began)
        trials = "trial" if len(states) == 1 else "trials"
        return f"{len(states):,} {trials}: {', '.join(counts)}; {took}"

    def _show_failed(self, outcomes: Sequence["Outcome"]) -> None:
        failed = [outcome for outcome in outcomes if outcome.state is State.FAILED]
        for outcome in failed[:_FAILED_TRIALS]:
            trial = outcome.trial
            self.note(f"failed: {label(trial)}: {_error(outcome)}")
            self.note(f"  log: {trial.directory}/{LOG_FILE}")
        if len(failed) > _FAILED_TRIALS:
            self.note(f"… and {len(failed) - _FAILED_TRIALS:,} more that failed")


def _error(outcome: "Outcome") -> str:
    """Say in lines that fit on a screen why a trial failed; its log has them whole."""
    lines = str(outcome.error).splitlines()
    return "\n".join(shorten(clean(line), _ERROR_CHARACTERS) for line in lines)
