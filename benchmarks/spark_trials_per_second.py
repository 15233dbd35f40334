"""How many trials that do nothing are run in a second on Spark.

What is left is what the way to use Spark costs. That buys different things:

* hops keeps the parameters, the outputs and the log of each trial in a directory of its own, and
  has the outputs on the disk, synced, before the trial counts. A trial that is lost with its
  executor is run again; one that fails does not end the others.
* A Spark job per trial returns the value to the program's memory, and keeps nothing. One runs at a
  time, because one thread submits them; a failure ends the program, unless it catches it.
* A Spark task per trial, all in one job, keeps and returns nothing. One failure ends the job, and
  with it all trials.
* joblib-spark runs a Spark job per trial, two at a time, and returns all values at the end, to
  memory; one failure ends all. Who asks it for batches of trials gets a Spark job per batch: its
  trials run one after the other, and none has a result before the last of them.

One session serves all of them; a job has warmed it before the first round. The time counts from the
call to its return: hops starts two agents on Spark in every round.

Usage: python -m benchmarks.spark_trials_per_second [rounds] [--master MASTER]

MASTER is local[2] unless given. It needs two free task slots; executors of a cluster need
hops-experiment, the Python of this program, and the directory for temporary files, TMPDIR, in which
the project is made. Spark listens on 127.0.0.1 unless SPARK_LOCAL_IP says otherwise.
"""

import argparse
import os
import shlex
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.report import heading, progress, table

from hops import experiment
from hops.core.spark import get_session

if TYPE_CHECKING:
    from pyspark import SparkContext

ROUNDS = 5
WORKERS = 2
REFERENCE = "hops, one process for many trials"


def noop(x: float) -> float:
    """Do nothing."""
    return x


def hops(_: "SparkContext", trials: int, *, isolation: str) -> None:
    """Search a grid of one parameter."""
    experiment.grid_search(
        noop,
        {"x": range(trials)},
        engine="spark",
        workers=WORKERS,
        isolation=isolation,
        verbose=False,
        tensorboard=False,
    )


def job_per_trial(context: "SparkContext", trials: int) -> None:
    """Have Spark run a job of one task for each trial, one after the other."""
    for x in range(trials):
        context.parallelize([x], 1).map(noop).collect()


def task_per_trial(context: "SparkContext", trials: int) -> None:
    """Have Spark run one job with a task for each trial."""
    context.parallelize(range(trials), trials).foreachPartition(lambda xs: [noop(x) for x in xs])


def joblib_spark(_: "SparkContext", trials: int, **options: int) -> None:
    """Run the trials with joblib's backend for Spark; *options* are those of `Parallel`."""
    from joblib import Parallel, delayed  # type: ignore[import-untyped, unused-ignore] # no types
    from joblibspark import register_spark  # type: ignore[import-not-found, unused-ignore] # env bench

    register_spark()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what it cannot do here is not measured
        parallel = Parallel(n_jobs=WORKERS, backend="spark", **options)
        parallel(delayed(noop)(x) for x in range(trials))


class Contender(NamedTuple):
    """What is measured, and with how many trials, so that a round takes a few seconds."""

    run: Callable[["SparkContext", int], None]
    trials: int


CONTENDERS = {
    REFERENCE: Contender(partial(hops, isolation="worker"), 2000),
    "hops, a process per trial": Contender(partial(hops, isolation="process"), 300),
    "a Spark job per trial": Contender(job_per_trial, 100),
    "a Spark task per trial, in one job": Contender(task_per_trial, 200),
    "joblib-spark": Contender(joblib_spark, 100),
    "joblib-spark, batches of 100": Contender(partial(joblib_spark, batch_size=100), 2000),
}


def measure(contender: Contender, context: "SparkContext", home: str) -> float:
    """Return the trials per second of a contender; its project is in *home*."""
    os.environ["HOPS_PROJECT_DIR"] = tempfile.mkdtemp(dir=home)
    begin = time.perf_counter()
    contender.run(context, contender.trials)
    return contender.trials / (time.perf_counter() - begin)


def start_spark(master: str) -> "SparkContext":
    """Make a session, and run a job with a task for each slot."""
    arguments = shlex.join(["--master", master, "--conf", "spark.ui.port=0"])
    os.environ["PYSPARK_SUBMIT_ARGS"] = f"{arguments} pyspark-shell"
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    context = get_session().sparkContext
    context.setLogLevel("ERROR")
    context.parallelize(range(WORKERS), WORKERS).map(noop).collect()
    return context


def main(rounds: int, master: str) -> None:
    """Measure all contenders in turn, *rounds* times."""
    heading(
        f"Trials that do nothing, per second, two at a time, on Spark at {master}.",
        ["hops-experiment", "pyspark", "joblib", "joblibspark"],
    )
    context = start_spark(master)
    rates: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    # Removed at the end only: the disk is busy with what was removed when the next one writes.
    with tempfile.TemporaryDirectory() as home:
        for number in range(rounds):
            for name, contender in CONTENDERS.items():
                progress(f"round {number + 1} of {rounds}: {name}")
                rates[name].append(measure(contender, context, home))
        context.stop()
    progress("")
    table(rates, "trials/s", REFERENCE)
    print()
    times = {name: [1000 / rate for rate in each] for name, each in rates.items()}
    table(times, "ms/trial", REFERENCE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("rounds", nargs="?", type=int, default=ROUNDS)
    parser.add_argument("--master", default=f"local[{WORKERS}]")
    given = parser.parse_args()
    main(given.rounds, given.master)
