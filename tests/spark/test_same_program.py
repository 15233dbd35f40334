"""One program, unchanged: on the laptop's engine, on a local Spark, on a cluster."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import programs
from standalone import StandaloneCluster
from submission import Submission

pytestmark = pytest.mark.timeout(600)

Submit = Callable[..., Submission]

BEST = re.compile(r"^The best reads 9\d\.\d% of unseen digits: .*$", re.MULTILINE)


def run_of(home: Path) -> Path:
    """Return the directory of the only run in the project of *home*."""
    [run] = programs.runs(home)
    return run


def without_run_id(files: set[str]) -> set[str]:
    """Return *files* with the same name for what is named after the run."""
    return {re.sub(r"(local|app)-[0-9a-f-]+_\d+", "RUN", name) for name in files}


def test_the_digits_are_the_same_everywhere(
    cluster: StandaloneCluster, executor_environment: Path, submit: Submit, tmp_path: Path
) -> None:
    """The same best, and the same files, whichever engine the environment names."""
    program = programs.example("digits.py").read_text()
    homes = {name: tmp_path / name for name in ("laptop", "local", "cluster")}
    for home in homes.values():
        home.mkdir()
    spark = {"HOPS_ENGINE": "spark"}

    done = {
        "laptop": submit(program, home=homes["laptop"], master="unused"),
        "local": submit(program, home=homes["local"], master="local[2]", variables=spark),
        "cluster": submit(
            program,
            home=homes["cluster"],
            master=cluster.url,
            python=executor_environment,
            variables=spark,
        ),
    }

    best = set()
    for name, submission in done.items():
        output = submission.succeed()
        best |= set(BEST.findall(output))
        assert ("spark engine" in output) is (name != "laptop")
        assert submission.left_over() == []
    assert len(best) == 1
    laptop, local, on_cluster = (programs.files(run_of(home)) for home in homes.values())
    assert len(laptop) > 30
    assert laptop == local == on_cluster
    for home in homes.values():
        assert not list(run_of(home).glob(".attempts/*"))


def test_the_record_names_the_application(submit: Submit, tmp_path: Path) -> None:
    """The run's id begins with Spark's own id of the program; the record says so too."""
    program = """
from hops import experiment
from hops.core.spark import get_session

logdir, outputs = experiment.launch(lambda: 0.5, engine="spark")
print("application", get_session().sparkContext.applicationId)
print("logdir", logdir, outputs["metric"])
"""
    output = submit(program, master="local[2]").succeed()
    application = re.search(r"^application (\S+)$", output, re.MULTILINE)
    assert application
    run = run_of(tmp_path)
    facts = programs.read(run / ".experiment.json")

    assert run.name == f"{application[1]}_1"
    assert f"logdir {run} 0.5" in output
    assert (facts["appId"], facts["engine"]) == (application[1], "spark")
    assert re.search(
        r"hops: laptop, spark engine \(1 worker, Spark UI http://127\.0\.0\.1:\d+\)", output
    )


def test_a_program_of_the_seed(
    cluster: StandaloneCluster, executor_environment: Path, submit: Submit, tmp_path: Path
) -> None:
    """A function of a module beside the script, run once and for lists of values, on executors."""
    (tmp_path / "model.py").write_text(
        "class Network:\n"
        "    def __init__(self, units):\n"
        "        self.units = units\n"
        "def score(network, rate):\n"
        "    return network.units * rate\n"
    )
    program = """
import os
import model
from hops import experiment, hdfs

def train(network=model.Network(3), rate=2):
    print("in", os.environ["SPARK_HOME"] != "", hdfs.project_path())
    return {"score": model.score(network, rate)}

print("one", experiment.launch(train, engine="spark")[1]["score"])
values = {"network": [model.Network(1), model.Network(5)], "rate": [10, 20]}
outputs = experiment.launch(train, values, engine="spark")[1]
print("two", [each["score"] for each in outputs])
"""
    output = submit(program, master=cluster.url, python=executor_environment).succeed()

    assert "one 6\n" in output
    assert "two [10, 100]\n" in output
    assert f"in True {tmp_path}{os.sep}project/" in output
