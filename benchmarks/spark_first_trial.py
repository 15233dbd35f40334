"""How long a user waits for the first trial on Spark, once there is a session.

The clock starts when the session is there, and stops at the first line of the trial. No engine can
be earlier than the bare job beside it: one task, in which Spark calls a function of Python. The
first one in a session also starts Spark's Python workers; so each program measures twice.

Each is a whole program, started anew in every round, on local[2]. Both take their time from the
machine's clock. hops is used as a user does: it also starts its TensorBoard, and shows and keeps
what the trial prints.

Usage: python -m benchmarks.spark_first_trial [rounds]
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import heading, progress, table

ROUNDS = 7
BARE = "a bare job of one task"
HOPS = "hops"
TURNS = ("the first time", "again")

BEGIN = """
import json, sys, time
from hops import experiment
from hops.core.spark import get_session

def trial(_=None):
    return time.time()

def measure():
    begin = time.time()
    return begun() - begin
"""

PROGRAMS = {
    BARE: """
def begun():
    return context.parallelize([0], 1).map(trial).collect()[0]
""",
    HOPS: """
def begun():
    logdir, outputs = experiment.launch(trial, engine="spark")
    return outputs["metric"]
""",
}

END = """
context = get_session().sparkContext
measured = [measure(), measure()]
with open(sys.argv[1], "w") as file:
    json.dump(measured, file)
"""


def measure(program: str, directory: Path) -> list[float]:
    """Return the seconds that *program* has measured, in each of its turns."""
    script, measured = directory / "program.py", directory / "measured"
    script.write_text(BEGIN + program + END)
    settings = {
        "HOPS_PROJECT_DIR": str(directory / "project"),
        "PYSPARK_SUBMIT_ARGS": "--master local[2] --conf spark.ui.port=0 pyspark-shell",
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    subprocess.run(
        [sys.executable, script, measured],
        cwd=directory,
        env={**os.environ, **settings},
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seconds: list[float] = json.loads(measured.read_text())
    return seconds


def compare(turn: str, bare: Sequence[float], hops: Sequence[float]) -> None:
    """Print how much later the trial of hops began than the bare task of the same round."""
    later = [ours - theirs for ours, theirs in zip(hops, bare, strict=True)]
    lowest, highest = min(later), max(later)
    print(
        f"{turn}, hops is {statistics.median(later):+.3f} s behind the bare job "
        f"({lowest:+.3f} to {highest:+.3f})"
    )


def main(rounds: int) -> None:
    """Measure both programs in turn, *rounds* times, after one round that does not count."""
    heading(
        "From Spark's session to the first line of the first trial, on local[2].",
        ["hops-experiment", "pyspark"],
    )
    measured: dict[str, list[float]] = {
        f"{name}, {turn}": [] for turn in TURNS for name in PROGRAMS
    }
    for number in range(rounds + 1):
        for name, program in PROGRAMS.items():
            progress(f"round {number} of {rounds}: {name}")
            with tempfile.TemporaryDirectory() as directory:
                seconds = measure(program, Path(directory))
            if number:
                for turn, each in zip(TURNS, seconds, strict=True):
                    measured[f"{name}, {turn}"].append(each)
    progress("")
    table(measured, "seconds", f"{BARE}, {TURNS[0]}")
    for turn in TURNS:
        compare(turn, measured[f"{BARE}, {turn}"], measured[f"{HOPS}, {turn}"])


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else ROUNDS)
