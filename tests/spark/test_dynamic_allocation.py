"""A cluster that grows with the trials that wait."""

from collections.abc import Callable
from pathlib import Path

import pytest

from standalone import StandaloneCluster
from submission import Submission

pytestmark = pytest.mark.timeout(600)

DYNAMIC = {
    "spark.dynamicAllocation.enabled": "true",
    "spark.dynamicAllocation.shuffleTracking.enabled": "true",
    "spark.dynamicAllocation.minExecutors": "0",
    "spark.executor.cores": "1",
}

SEARCH = """
import time
from hops import experiment, util
from hops.core.spark import get_session

def executors():
    return get_session().sparkContext._jsc.sc().getExecutorMemoryStatus().size() - 1

def train(a):
    import os, pathlib
    here = pathlib.Path(os.environ["HOPS_PROJECT_DIR"]).parent
    (here / f"worker{os.getppid()}").touch()
    while len(list(here.glob("worker*"))) < 2:
        time.sleep(0.02)  # the first executor alone is not enough
    return {"worker": os.getppid(), "a": a}

get_session()
print("before", executors(), "at most", util.num_executors())
found = experiment.grid_search(
    train, {"a": list(range(6))}, optimization_key="a", engine="spark", tensorboard=False
)
print("executors", executors())
print("workers", len({trial.outputs["worker"] for trial in found.trials}))
"""


@pytest.fixture
def start(
    cluster: StandaloneCluster, executor_environment: Path, submit: Callable[..., Submission]
) -> Callable[..., Submission]:
    """Return what starts the search with some more settings."""

    def start(bound: dict[str, str]) -> Submission:
        return submit(SEARCH, master=cluster.url, python=executor_environment, conf=DYNAMIC | bound)

    return start


@pytest.mark.parametrize(
    ("bound", "told", "at_most"),
    [
        ({"spark.dynamicAllocation.maxExecutors": "2"}, "(up to 2 workers, ", 2),
        ({}, "(up to 6 workers, ", 1),
    ],
)
def test_waiting_trials_make_the_cluster_grow(
    start: Callable[..., Submission], bound: dict[str, str], told: str, at_most: int
) -> None:
    """The run begins with the first executor; more come for the workers that wait."""
    output = start(bound).succeed()

    assert f" at most {at_most}\n" in output
    assert f"spark engine {told}" in output
    assert "executors 2\n" in output
    assert "workers 2\n" in output
