"""How many trials that do nothing are run in a second.

What is left is what the library itself costs. That buys different things: hops runs the trial in a
process of its own, keeps its parameters, outputs and log in a directory of its own, and has the
outputs on the disk, synced, before the trial counts. Optuna calls the function in the program's own
process, and writes a journal, a database, or nothing. loky and the bare fork keep nothing.

Every contender runs in a program of its own, which imports it first. The time counts from the call
to its return, so the start of workers is part of it. Two trials run at a time, but in Optuna.

Usage: python -m benchmarks.trials_per_second [rounds]
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.report import heading, progress, table

ROUNDS = 3
WORKERS = 2
REFERENCE = "Optuna, journal"


def noop(x: float) -> float:
    """Do nothing."""
    return x


def hops(trials: int, **options: Any) -> float:  # noqa: ANN401 - those of grid_search
    """Search a grid of one parameter."""
    from hops import experiment

    begin = time.perf_counter()
    experiment.grid_search(noop, {"x": range(trials)}, workers=WORKERS, **options)
    return time.perf_counter() - begin


def loky(trials: int) -> float:
    """Submit each trial to an executor."""
    from loky import ProcessPoolExecutor  # type: ignore[import-not-found, unused-ignore]

    begin = time.perf_counter()
    with ProcessPoolExecutor(WORKERS) as executor:
        list(executor.map(noop, range(trials), chunksize=1))
        return time.perf_counter() - begin


def fork(trials: int) -> float:
    """Fork this small process for each trial."""
    begin = time.perf_counter()
    for number in range(trials):
        if number >= WORKERS:
            os.wait()
        if os.fork() == 0:
            noop(number)
            os._exit(0)
    for _ in range(min(trials, WORKERS)):
        os.wait()
    return time.perf_counter() - begin


def optuna(trials: int, *, storage: str | None) -> float:
    """Optimize one parameter at random; *storage* is `journal`, `sqlite`, or `None` for memory."""
    import optuna  # type: ignore[import-not-found, unused-ignore]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kept: Any = None
    if storage == "journal":
        journal = optuna.storages.journal
        kept = journal.JournalStorage(journal.JournalFileBackend("journal.log"))
    elif storage == "sqlite":
        kept = "sqlite:///study.db"
    begin = time.perf_counter()
    study = optuna.create_study(storage=kept, sampler=optuna.samplers.RandomSampler())
    study.optimize(lambda trial: noop(trial.suggest_float("x", 0, 1)), n_trials=trials)
    return time.perf_counter() - begin


class Contender(NamedTuple):
    """What is measured, and with how many trials, so that a round takes a few seconds."""

    run: Callable[[int], float]
    trials: int


def _quiet(isolation: str) -> Callable[[int], float]:
    return partial(hops, isolation=isolation, verbose=False, tensorboard=False)


CONTENDERS = {
    "hops, a process per trial": Contender(_quiet("process"), 500),
    "hops, an interpreter per trial": Contender(_quiet("spawn"), 40),
    "hops, one process for many trials": Contender(_quiet("worker"), 2000),
    "hops, a process per trial, all shown": Contender(partial(hops, isolation="process"), 500),
    "a bare fork per trial": Contender(fork, 1000),
    "loky": Contender(loky, 5000),
    "Optuna, memory": Contender(partial(optuna, storage=None), 2000),
    REFERENCE: Contender(partial(optuna, storage="journal"), 300),
    "Optuna, SQLite": Contender(partial(optuna, storage="sqlite"), 60),
}


def measure(name: str, home: str) -> float:
    """Return the trials per second of a contender, run as a program; its files are in *home*."""
    root = Path(__file__).parents[1]
    directory = tempfile.mkdtemp(dir=home)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.trials_per_second", name],
        cwd=directory,
        env={**os.environ, "HOPS_PROJECT_DIR": directory, "PYTHONPATH": str(root)},
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return CONTENDERS[name].trials / float(done.stdout.splitlines()[-1])


def main(rounds: int) -> None:
    """Measure all contenders in turn, *rounds* times."""
    heading(
        "Trials that do nothing, per second, two at a time.",
        ["hops-experiment", "cloudpickle", "loky", "optuna"],
    )
    measured: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    # Removed at the end only: the disk is busy with what was removed when the next one writes.
    with tempfile.TemporaryDirectory() as home:
        for number in range(rounds):
            for name, rates in measured.items():
                progress(f"round {number + 1} of {rounds}: {name}")
                rates.append(measure(name, home))
    progress("")
    table(measured, "trials/s", REFERENCE)


if __name__ == "__main__":
    argument = sys.argv[1] if sys.argv[1:] else str(ROUNDS)
    if argument in CONTENDERS:
        print(CONTENDERS[argument].run(CONTENDERS[argument].trials))
    else:
        main(int(argument))
