"""Executors, Python workers and drivers are killed, jobs cancelled, programs interrupted.

What the user sees, what is on the disk, and that no process is left over.
"""

import json
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from marked import Process
from standalone import StandaloneCluster
from submission import Submission
from waiting import until

pytestmark = pytest.mark.timeout(600)

Submit = Callable[..., Submission]

SEARCH = """
import os, pathlib, sys, time
from hops import experiment
from hops.experiment import RunCancelledError

here = pathlib.Path.cwd()

def train(a):
    (here / f"ran{a}.{os.getpid()}").touch()
    print("begins", a, flush=True)
    while not (here / f"go{a}").exists():
        time.sleep(0.02)
    return a

try:
    found = experiment.grid_search(
        train, {"a": list(range(4))}, engine="spark", tensorboard=False
    )
    print("attempts", [trial.attempts for trial in found.trials])
except KeyboardInterrupt:
    print("interrupted")
"""

ONE_FAILURE = {"spark.task.maxFailures": "1"}


class Search:
    """A search of four trials that wait to be let go, two at a time."""

    def __init__(self, submission: Submission, home: Path) -> None:
        self.submission = submission
        self.home = home

    def let_go(self, *trials: int) -> None:
        """Let trials end."""
        for trial in trials:
            (self.home / f"go{trial}").touch()

    def begun(self, *trials: int) -> None:
        """Wait until trials have begun."""
        for trial in trials:
            self.submission.wait_for(rf"^\[a={trial}\] begins {trial}$")

    def ran(self, trial: int) -> int:
        """Return in how many processes a trial has run."""
        return len(list(self.home.glob(f"ran{trial}.*")))

    def record(self) -> tuple[str, dict[int, bool]]:
        """Return the state of the run, and which trials have finished."""
        [run] = (self.home / "project/Experiments").iterdir()
        facts: dict[str, Any] = json.loads((run / ".experiment.json").read_text())
        ended = {n: (run / f"a={n}/.outputs.json").exists() for n in range(4)}
        return facts["state"], {n: done for n, done in ended.items() if (run / f"a={n}").exists()}


def python_workers(submission: Submission) -> list[Process]:
    """Return the processes in which Spark runs the tasks of agents."""
    agents = submission.processes("hops.experiment.worker.agent")
    parents = {parent_of(agent.pid) for agent in agents}
    return [each for each in submission.processes("pyspark.daemon") if each.pid in parents]


def parent_of(pid: int) -> int:
    """Return the parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])


@pytest.fixture
def search(
    cluster: StandaloneCluster, executor_environment: Path, submit: Submit, tmp_path: Path
) -> Callable[..., Search]:
    """Return what starts the search on the cluster, whose first two trials have begun then."""

    def start(program: str = SEARCH, conf: Mapping[str, str] = {}, begun: int = 2) -> Search:
        started = Search(
            submit(program, master=cluster.url, python=executor_environment, conf=conf), tmp_path
        )
        started.begun(*range(begun))
        return started

    return start


def test_an_executor_is_killed(search: Callable[..., Search]) -> None:
    """Its trial is run again, the other goes on; also where Spark forgives no failed task."""
    run = search(conf=ONE_FAILURE)
    run.submission.processes("CoarseGrainedExecutorBackend")[0].send_signal(signal.SIGKILL)
    run.submission.wait_for(r"^a=\d was lost and is run again: ")
    run.let_go(0, 1, 2, 3)

    output = run.submission.succeed()

    [attempts] = [line for line in output.splitlines() if line.startswith("attempts")]
    assert sorted(json.loads(attempts.partition(" ")[2])) == [1, 1, 1, 2]
    assert run.record() == ("FINISHED", dict.fromkeys(range(4), True))
    assert [run.ran(n) for n in (2, 3)] == [1, 1]
    assert run.submission.left_over() == []


@pytest.mark.parametrize("failures", ["1", "4"])
def test_a_python_worker_is_killed(search: Callable[..., Search], failures: str) -> None:
    """The agent ends with it, and its trial; another one comes, by us or by Spark's second try."""
    run = search(conf={"spark.task.maxFailures": failures})
    python_workers(run.submission)[0].send_signal(signal.SIGKILL)
    run.submission.wait_for(r"^a=\d was lost and is run again: ")
    run.let_go(0, 1, 2, 3)

    output = run.submission.succeed()

    [attempts] = [line for line in output.splitlines() if line.startswith("attempts")]
    assert sorted(json.loads(attempts.partition(" ")[2])) == [1, 1, 1, 2]
    assert run.submission.left_over() == []


def test_a_second_attempt_beside_the_first_is_kept_out(search: Callable[..., Search]) -> None:
    """Spark may start an agent's task again while the first one works: it gets no trial of it."""
    program = SEARCH.replace('engine="spark"', 'engine="spark", workers=1').replace(
        "range(4)", "range(2)"
    )
    speculation = {
        "spark.speculation": "true",
        "spark.speculation.task.duration.threshold": "1s",
        "spark.speculation.interval": "100ms",
    }
    run = search(program, speculation, begun=1)
    until(
        lambda: len(run.submission.processes("hops.experiment.worker.agent")) >= 4,
        said=lambda: run.submission.output,
    )  # two agents, each with its nursery
    assert not list(run.home.glob("ran1.*"))
    run.let_go(0)
    run.begun(1)
    run.let_go(1)

    output = run.submission.succeed()

    assert "attempts [1, 1]" in output
    assert [run.ran(n) for n in (0, 1)] == [1, 1]
    assert run.submission.left_over() == []


def test_the_driver_is_killed(search: Callable[..., Search]) -> None:
    """Everything that it has started ends, on every host; what had finished is in the project."""
    run = search()
    run.let_go(0)
    run.begun(2)
    run.submission.send_signal(signal.SIGKILL)

    assert run.submission.wait() == -signal.SIGKILL
    assert run.submission.left_over() == []
    state, finished = run.record()
    assert finished == {0: True}
    assert state == "RUNNING"  # nobody was left to write another one


def test_somebody_cancels_the_jobs(search: Callable[..., Search]) -> None:
    """As in Spark's UI: the run ends as cancelled, and what had finished is kept."""
    cancel = """
import threading
from hops.core.spark import get_session

def cancel():
    while not (here / "cancel").exists():
        time.sleep(0.02)
    context = get_session().sparkContext
    newest = context._jsc.sc().statusStore().jobsList(None).apply(0)
    context.cancelJobGroup(newest.jobGroup().get())

threading.Thread(target=cancel, daemon=True).start()
"""
    run = search(SEARCH.replace("\ntry:", f"{cancel}\ntry:"))
    run.let_go(0)
    run.begun(2)
    (run.home / "cancel").touch()

    assert run.submission.wait() == 1
    assert "RunCancelledError: Spark's jobs of this run were cancelled." in run.submission.output
    assert run.record() == ("KILLED", {0: True, 1: False, 2: False})
    assert run.submission.left_over() == []


def test_the_first_interrupt_lets_the_running_trials_end(search: Callable[..., Search]) -> None:
    """Ctrl-C once: no new trial begins, those that run end and are kept."""
    run = search()
    run.submission.send_signal(signal.SIGINT, like_a_terminal=True)
    run.submission.wait_for("Ctrl-C again")
    run.let_go(0, 1)

    output = run.submission.succeed()

    assert output.rstrip().endswith("interrupted")
    assert run.record() == ("KILLED", {0: True, 1: True})
    assert run.submission.left_over() == []


def test_the_second_interrupt_ends_the_running_trials(search: Callable[..., Search]) -> None:
    """Ctrl-C twice: the running trials are ended, what had finished is kept."""
    run = search()
    run.let_go(0)
    run.begun(2)
    run.submission.send_signal(signal.SIGINT, like_a_terminal=True)
    run.submission.wait_for("Ctrl-C again")
    run.submission.send_signal(signal.SIGINT, like_a_terminal=True)

    output = run.submission.succeed()

    assert output.rstrip().endswith("interrupted")
    assert run.record() == ("KILLED", {0: True, 1: False, 2: False})
    assert run.submission.left_over() == []


def test_spark_is_stopped_during_the_run(search: Callable[..., Search]) -> None:
    """The program ends with an error that says so, and what had finished is kept."""
    stop = """
import threading
from hops.core.spark import get_session

def stop():
    while not (here / "stop").exists():
        time.sleep(0.02)
    get_session().stop()

threading.Thread(target=stop, daemon=True).start()
"""
    run = search(SEARCH.replace("\ntry:", f"{stop}\ntry:"))
    run.let_go(0)
    run.begun(2)
    (run.home / "stop").touch()

    assert run.submission.wait() == 1
    assert "AgentError: Spark has ended during the run" in run.submission.output
    assert run.record() == ("FAILED", {0: True, 1: False, 2: False})
    assert run.submission.left_over() == []
