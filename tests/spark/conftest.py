"""An empty environment with a new project for every test; Spark, and environments, for all."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hops.core.java import find_java_home
from pythons import Pythons
from standalone import FAST_JAVA, StandaloneCluster
from submission import Submission

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

KEPT = {"PATH", "LANG", "LC_ALL", "TMPDIR", "PYTEST_CURRENT_TEST"}


@pytest.fixture(scope="session", autouse=True)
def _terminated_in_order() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C, so that fixtures end what they have started."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the root of the project, which is not there yet."""
    _empty_environment(monkeypatch, tmp_path)
    monkeypatch.setenv("HOPS_PROJECT_DIR", str(tmp_path / "project"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # this machine's GPUs, if it has any
    return tmp_path / "project"


@pytest.fixture(scope="session")
def java_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the home of the Java that Spark runs on: the machine's, or what an extra brings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return find_java_home()


@pytest.fixture(scope="session")
def spark(java_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator["SparkSession"]:
    """Give a session in this process: two slots, and the UI at a free port of 127.0.0.1."""
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("spark")
    with pytest.MonkeyPatch.context() as patch:
        _empty_environment(patch, folder)
        patch.setenv("JAVA_HOME", str(java_home))
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        builder = SparkSession.builder.master("local[2]").appName("tests")
        java = f"{FAST_JAVA} -Djava.io.tmpdir={folder}"
        session = (
            builder.config("spark.driver.extraJavaOptions", java)
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.local.dir", str(folder))
            .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
            .config("spark.ui.port", "0")
            .config("spark.ui.showConsoleProgress", "false")
            .getOrCreate()
        )
    yield session
    session.stop()


@pytest.fixture(scope="session")
def pythons(tmp_path_factory: pytest.TempPathFactory) -> Pythons:
    """Give what makes environments for executors, each once per run."""
    return Pythons(tmp_path_factory.mktemp("pythons"), dict(os.environ))


@pytest.fixture(scope="session")
def executor_environment(pythons: Pythons) -> Path:
    """Return the Python of an environment with wheels of this checkout, and scikit-learn."""
    return pythons.make("hops-experiment", "scikit-learn")


@pytest.fixture(scope="session")
def shared_cluster(
    java_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StandaloneCluster]:
    """Run one cluster of two workers for all tests."""
    with StandaloneCluster(tmp_path_factory.mktemp("cluster") / "spark", java_home) as cluster:
        yield cluster


@pytest.fixture
def cluster(shared_cluster: StandaloneCluster) -> StandaloneCluster:
    """Return a standalone cluster of two workers with a core each, which does nothing."""
    shared_cluster.settle()
    return shared_cluster


@pytest.fixture
def submit(java_home: Path, project: Path) -> Iterator[Callable[..., Submission]]:
    """Give what starts a user's program; it takes the arguments of `Submission`.

    The home is the directory of the test, with its `project`, and the Java is that of the tests,
    where the arguments name no other. Nothing of the programs is left after the test.
    """
    started: list[Submission] = []

    def start(program: str, *, home: Path = project.parent, **options: Any) -> Submission:  # noqa: ANN401 - those of a submission
        options["variables"] = {"JAVA_HOME": str(java_home), **options.get("variables", {})}
        started.append(Submission(program, home, **options))
        return started[-1]

    yield start
    for submission in started:
        submission.close()


def _empty_environment(patch: pytest.MonkeyPatch, home: Path) -> None:
    for name in os.environ.keys() - KEPT:
        patch.delenv(name)
    patch.setenv("HOME", str(home))
