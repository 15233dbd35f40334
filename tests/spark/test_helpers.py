"""What the other tests build on: a real cluster, other environments, and nothing left behind."""

import json
import signal
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest

from pythons import Pythons
from standalone import StandaloneCluster
from submission import Submission
from waiting import PATIENCE_S, until
from workshop import run

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.timeout(600)  # environments, and JVMs by the dozen

START = """
from pyspark.sql import SparkSession

context = SparkSession.builder.getOrCreate().sparkContext
"""

LOOK = """
import json

def look(_partition):
    import os, sys, time
    from pyspark import TaskContext
    time.sleep(1)  # so that no executor takes both tasks
    gpus = TaskContext.get().resources().get("gpu")
    kept = ("HOPS_PROJECT_DIR", "VIRTUAL_ENV")
    yield {
        "parent": os.getppid(),
        "prefix": sys.prefix,
        "gpus": gpus and gpus.addresses,
        "variables": {name: os.environ.get(name) for name in kept},
    }

print(json.dumps(context.parallelize(range(2), 2).mapPartitions(look).collect()))
"""

HANG = """
import time

print("hangs")
context.parallelize([0], 1).foreach(lambda _: time.sleep(600))
"""

BOTH = {
    "spark.scheduler.minRegisteredResourcesRatio": "1.0",
    "spark.ui.showConsoleProgress": "false",
}

Submit = Callable[..., Submission]


def looked(output: str) -> list[dict[str, Any]]:
    """Return what a program with `LOOK` in it has found."""
    [line] = [each for each in output.splitlines() if each.startswith("[{")]
    found: list[dict[str, Any]] = json.loads(line)
    return found


def test_the_session_of_this_process_is_complete(spark: "SparkSession") -> None:
    """It runs Python in two slots and has a UI, all on the loopback interface."""
    context = spark.sparkContext
    doubled = context.parallelize(range(4)).map(lambda number: number * 2).collect()
    address = f"{context.uiWebUrl}/api/v1/applications"
    with urlopen(address, timeout=PATIENCE_S) as answer:  # noqa: S310 - 127.0.0.1
        [application] = json.load(answer)

    assert doubled == [0, 2, 4, 6]
    assert context.getConf().get("spark.driver.host") == "127.0.0.1"
    assert context.defaultParallelism == 2
    assert application["id"] == context.applicationId


def test_a_job_runs_on_both_workers(
    cluster: StandaloneCluster, executor_environment: Path, submit: Submit
) -> None:
    """Executors run on both workers, with a Python and variables that are not the driver's."""
    program = submit(START + LOOK, master=cluster.url, python=executor_environment, conf=BOTH)
    first, second = looked(program.succeed())

    assert first["parent"] != second["parent"]
    assert first["prefix"] == second["prefix"] == str(executor_environment.parents[1])
    assert first["variables"] == {"HOPS_PROJECT_DIR": None, "VIRTUAL_ENV": None}
    assert program.left_over() == []


def test_a_program_and_a_worker_can_be_killed(
    cluster: StandaloneCluster, executor_environment: Path, submit: Submit
) -> None:
    """All processes of a program are found, also those of a cluster that lost a worker."""
    program = submit(START + HANG, master=cluster.url, python=executor_environment)
    program.wait_for("^hangs$")
    until(lambda: program.processes("pyspark.daemon"), said=lambda: program.output)
    executors = program.processes("CoarseGrainedExecutorBackend")
    drivers = program.processes("program.py")
    cluster.workers[0].kill()
    program.send_signal(signal.SIGKILL)

    assert len(executors) == 2
    assert [driver.pid for driver in drivers] == [program.pid]
    assert program.wait() == -signal.SIGKILL
    program.close()
    assert program.processes() == []
    cluster.settle()
    assert cluster.status()["aliveworkers"] == len(cluster.workers) == 2


def test_workers_have_gpus_and_nothing_is_left(
    java_home: Path, executor_environment: Path, submit: Submit, tmp_path: Path
) -> None:
    """Tasks get the made-up GPUs of their worker; the end of a cluster ends all it has started."""
    conf = {
        "spark.executor.resource.gpu.amount": "2",
        "spark.task.resource.gpu.amount": "1",
        "spark.ui.showConsoleProgress": "false",
    }
    with StandaloneCluster(tmp_path / "own", java_home, workers=1, cores=2, gpus=2) as cluster:
        text = START + LOOK + HANG
        program = submit(text, master=cluster.url, python=executor_environment, conf=conf)
        program.wait_for("^hangs$")
        found = looked(program.output)
        workers = program.processes("pyspark.daemon")

    assert sorted(each["gpus"] for each in found) == [["0"], ["1"]]
    assert workers
    assert cluster.processes() == []
    assert program.processes("pyspark.daemon") == []


def test_environments_differ_as_asked(pythons: Pythons, tmp_path: Path) -> None:
    """There are environments without hops, with another cloudpickle, with another version of us."""
    versions = {"hops-experiment": "0.1.99"}
    bare = pythons.make()
    old = pythons.make("hops-experiment", "cloudpickle==3.1.1", versions=versions)
    ask = "from importlib.metadata import version; import sys; print(*map(version, sys.argv[1:]))"
    find = "from importlib.util import find_spec; print(find_spec('hops'))"

    assert run([bare, "-c", find], cwd=tmp_path) == "None\n"
    told = run([old, "-c", ask, "hops-experiment", "hops-hdfs", "cloudpickle"], cwd=tmp_path)
    assert told.split() == ["0.1.99", version("hops-hdfs"), "3.1.1"]
