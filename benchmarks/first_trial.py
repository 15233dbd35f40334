"""How long a user waits for the first trial, from the start of Python.

Each contender is a whole program, started anew in every round. Its trial writes down when it began;
the clock starts just before the program does. The programs are as a user writes them: hops also
starts its TensorBoard, and shows and keeps what the trial prints.

Usage: python -m benchmarks.first_trial [rounds]
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import heading, progress, table

ROUNDS = 11
REFERENCE = "hops, a process per trial"

TRIAL = """
import sys, time

def trial(file=sys.argv[1]):
    now = time.time()
    with open(file, "w") as out:
        out.write(repr(now))
    return 0.0
"""

PROGRAMS = {
    "a function call, without isolation": "trial()",
    REFERENCE: """
from hops import experiment
experiment.launch(trial)
""",
    "subprocess and cloudpickle": """
import subprocess, cloudpickle
command = [sys.executable, "-c", "import pickle, sys; pickle.load(sys.stdin.buffer)()"]
subprocess.run(command, input=cloudpickle.dumps(trial), check=True)
""",
    "concurrent.futures, fork": """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as executor:
    executor.submit(trial).result()
""",
    "concurrent.futures, spawn": """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
if __name__ == "__main__":
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        executor.submit(trial).result()
""",
    "loky": """
from loky import get_reusable_executor
get_reusable_executor(max_workers=1).submit(trial).result()
""",
    "joblib": """
from joblib import Parallel, delayed
Parallel(n_jobs=2)([delayed(trial)(sys.argv[1]), delayed(trial)(sys.argv[1] + ".second")])
""",
    "Optuna in memory, without isolation": """
import optuna
optuna.create_study().optimize(lambda _: trial(), n_trials=1)
""",
    "Optuna in a journal, without isolation": """
import optuna
from optuna.storages.journal import JournalFileBackend, JournalStorage
storage = JournalStorage(JournalFileBackend(sys.argv[1] + ".journal"))
optuna.create_study(storage=storage).optimize(lambda _: trial(), n_trials=1)
""",
}


def measure(program: str, directory: Path) -> float:
    """Return the seconds from the start of *program* to its first trial."""
    script, begun = directory / "program.py", directory / "begun"
    script.write_text(TRIAL + program)
    environment = {**os.environ, "HOPS_PROJECT_DIR": str(directory / "project")}
    begin = time.time()
    subprocess.run(
        [sys.executable, script, begun],
        cwd=directory,
        env=environment,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return float(begun.read_text()) - begin


def main(rounds: int) -> None:
    """Measure all programs in turn, *rounds* times, after one round that does not count."""
    heading(
        "From the start of Python to the first line of the first trial.",
        ["hops-experiment", "cloudpickle", "loky", "joblib", "optuna"],
    )
    measured: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for number in range(rounds + 1):
        for name, program in PROGRAMS.items():
            progress(f"round {number} of {rounds}: {name}")
            with tempfile.TemporaryDirectory() as directory:
                seconds = measure(program, Path(directory))
            if number:
                measured[name].append(seconds)
    progress("")
    table(measured, "seconds", REFERENCE)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else ROUNDS)
