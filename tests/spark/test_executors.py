"""Executors whose environment is not the driver's: what the user reads, and what still works."""

import ast
import re
import socket
import sys
import tarfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from pythons import Pythons
from standalone import StandaloneCluster
from submission import Submission

pytestmark = pytest.mark.timeout(600)

Submit = Callable[..., Submission]

LAUNCH = """
import os
from hops import experiment

def train():
    return {"gpus": os.environ.get("CUDA_VISIBLE_DEVICES")}

outputs = experiment.launch(train, engine="spark", tensorboard=False)[1]
print("outputs", outputs)
"""


BOTH = """
    import pathlib, time
    here = pathlib.Path(os.environ["HOPS_PROJECT_DIR"]).parent
    (here / f"begun{a}").touch()
    while not all((here / f"begun{each}").exists() for each in (1, 2)):
        time.sleep(0.02)  # so that no worker takes both
"""


@pytest.fixture
def refused(cluster: StandaloneCluster, submit: Submit) -> Callable[..., str]:
    """Return what runs a program on executors that cannot run trials, and gives what it wrote."""

    def run(python: Path) -> str:
        submission = submit(LAUNCH, master=cluster.url, python=python)
        assert submission.wait() == 1
        assert submission.left_over() == []
        return submission.output

    return run


def test_hops_is_missing(refused: Callable[..., str], pythons: Pythons) -> None:
    """The user reads where, in which Python, and what to install; with Spark's own Python code."""
    python = pythons.make()
    output = refused(python)

    assert f"AgentError: A worker cannot run trials. On {socket.gethostname()}: " in output
    assert "hops-experiment is not installed in Python 3." in output
    assert f"{python}." in output
    assert "Hint: in the environment of the executors: pip install hops-experiment==" in output


@pytest.mark.parametrize(
    ("made_of", "versions"),
    [
        ({"cloudpickle": "3.1.1"}, {}),
        ({}, {"hops-experiment": "0.1.99"}),
    ],
)
def test_another_version(
    refused: Callable[..., str],
    pythons: Pythons,
    made_of: dict[str, str],
    versions: dict[str, str],
) -> None:
    """The user reads which version is where, and which to install there."""
    requirements = [f"{name}=={version}" for name, version in made_of.items()]
    output = refused(pythons.make("hops-experiment", *requirements, versions=versions))

    [(name, there)] = [*made_of.items(), *versions.items()]
    short = name.removesuffix("-experiment")
    where = f"The worker on {socket.gethostname()} "
    assert where + f"has {short} {there}; the driver has {short} {version(name)}" in output
    assert "Hint: on " in output
    needed = f"hops-experiment=={version('hops-experiment')} cloudpickle=={version('cloudpickle')}"
    assert f"pip install {needed}" in output


def test_a_packed_environment_is_sent_along(
    cluster: StandaloneCluster, executor_environment: Path, submit: Submit, tmp_path: Path
) -> None:
    """`spark.archives` brings hops to executors that have none."""
    archive = tmp_path / "environment.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as packed:
        packed.add(executor_environment.parents[1], ".")
    conf = {"spark.archives": f"{archive}#environment"}

    python = Path("./environment/bin/python")
    output = submit(LAUNCH, master=cluster.url, python=python, conf=conf).succeed()

    assert "outputs {'gpus': None" in output


def test_a_python_file_is_sent_along(
    cluster: StandaloneCluster, executor_environment: Path, submit: Submit, tmp_path: Path
) -> None:
    """Trials can import what `--py-files` names."""
    extra = tmp_path / "elsewhere" / "extra.py"
    extra.parent.mkdir()
    extra.write_text("GPUS = 'none at all'\n")
    program = LAUNCH.replace('os.environ.get("CUDA_VISIBLE_DEVICES")', '__import__("extra").GPUS')
    conf = {"spark.submit.pyFiles": str(extra)}

    output = submit(program, master=cluster.url, python=executor_environment, conf=conf).succeed()

    assert "outputs {'gpus': 'none at all'" in output


def test_archives_as_python_files_do_not_do(
    cluster: StandaloneCluster, pythons: Pythons, submit: Submit, tmp_path: Path
) -> None:
    """Python before 3.13 finds no namespace package in an archive, and hops no version of it."""
    archives = [tmp_path / f"{wheel.stem}.zip" for wheel in pythons.wheels()]
    for wheel, archive in zip(pythons.wheels(), archives, strict=True):
        archive.write_bytes(wheel.read_bytes())
    conf = {"spark.submit.pyFiles": ",".join(map(str, archives))}
    submission = submit(LAUNCH, master=cluster.url, python=pythons.make("cloudpickle"), conf=conf)

    assert submission.wait() == 1
    missing = "hops-experiment is not installed in Python 3."
    expected = missing if sys.version_info < (3, 13) else "has hops unknown"
    assert expected in submission.output


def test_a_task_has_the_gpus_that_spark_gave_it(
    java_home: Path, executor_environment: Path, submit: Submit, tmp_path: Path
) -> None:
    """Each trial sees those of its worker alone."""
    conf = {"spark.executor.resource.gpu.amount": "2", "spark.task.resource.gpu.amount": "1"}
    program = LAUNCH.replace("def train():", f"def train(a):{BOTH}")
    program = program.replace("(train, engine", '(train, {"a": [1, 2]}, engine')
    with StandaloneCluster(tmp_path / "own", java_home, workers=1, cores=2, gpus=2) as cluster:
        output = submit(
            program, master=cluster.url, python=executor_environment, conf=conf
        ).succeed()

    [outputs] = [line for line in output.splitlines() if line.startswith("outputs ")]
    assert sorted(each["gpus"] for each in ast.literal_eval(outputs[8:])) == ["0", "1"]


def test_there_is_no_python(refused: Callable[..., str]) -> None:
    """Spark fails before hops can say anything: its error is told in our words."""
    output = refused(Path("/not/there/python"))

    assert re.search(r"cannot run trials. On (127\.0\.0\.1|localhost): The executor", output)
    assert "The executor has no Python at /not/there/python." in output
    assert (
        "Hint: set PYSPARK_PYTHON (under spark-submit: spark.pyspark.python) to a Python " in output
    )
