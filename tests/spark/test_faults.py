"""Executors, Python workers and drivers are killed, jobs cancelled, programs interrupted.

What the user sees, what is on the disk, and that no process is left over.
"""

import json
import signal
import socket
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from marked import Process
from standalone import StandaloneCluster
from submission import Submission
from waiting import PATIENCE_S, until

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

    def said(self) -> str:
        """Return what the program has written."""
        return self.submission.output

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

    def start(
        program: str = SEARCH,
        conf: Mapping[str, str] = {},
        begun: int = 2,
        *,
        by_spark_submit: bool = False,
    ) -> Search:
        submission = submit(
            program,
            master=cluster.url,
            python=executor_environment,
            conf=conf,
            by_spark_submit=by_spark_submit,
        )
        started = Search(submission, tmp_path)
        started.begun(*range(begun))
        return started

    return start


def lost_trial(run: Search) -> int:
    """Return the trial that was lost, once it runs again while the other one still does."""
    lost = int(run.submission.wait_for(r"^a=(\d) was lost and is run again: ")[1])
    until(lambda: run.ran(lost) == 2, said=lambda: run.submission.output)
    return lost


def test_an_executor_is_killed(search: Callable[..., Search]) -> None:
    """Its trial is run again beside the other; also where Spark forgives no failed task."""
    run = search(conf=ONE_FAILURE)
    run.submission.processes("CoarseGrainedExecutorBackend")[0].send_signal(signal.SIGKILL)
    lost_trial(run)
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
    lost_trial(run)
    run.let_go(0, 1, 2, 3)

    output = run.submission.succeed()

    [attempts] = [line for line in output.splitlines() if line.startswith("attempts")]
    assert sorted(json.loads(attempts.partition(" ")[2])) == [1, 1, 1, 2]
    assert run.submission.left_over() == []


ASKS = """
from hops.experiment.driver.coordinator import Coordinator

def asks(self, agent, wait_s, ask=Coordinator.next):
    print("asks", agent, flush=True)
    return ask(self, agent, min(wait_s, 0.5))

Coordinator.next = asks
"""


def test_a_second_attempt_beside_the_first_is_kept_out(search: Callable[..., Search]) -> None:
    """Spark may start an agent's task again while the first one works: it gets no trial then."""
    program = SEARCH.replace('engine="spark"', 'engine="spark", workers=1').replace(
        "range(4)", "range(2)"
    )
    speculation = {
        "spark.speculation": "true",
        "spark.speculation.task.duration.threshold": "1s",
        "spark.speculation.interval": "100ms",
    }
    run = search(program.replace("\ntry:", f"{ASKS}\ntry:"), speculation, begun=1)
    # It asks a second time when it was told the first time that there is nothing for it.
    run.submission.wait_for(r"(?s)^asks spark-0\.1$.*^asks spark-0\.1$")
    assert run.ran(1) == 0
    run.let_go(0)
    run.begun(1)
    run.let_go(1)

    output = run.submission.succeed()

    assert "attempts [1, 1]" in output
    assert [run.ran(n) for n in (0, 1)] == [1, 1]
    assert run.submission.left_over() == []


def test_a_second_attempt_that_fails_does_not_end_the_first(
    search: Callable[..., Search],
) -> None:
    """What Spark takes for its end would have it end the first one, too."""
    program = SEARCH.replace('engine="spark"', 'engine="spark", workers=1')
    fails = """
from hops.experiment.engine import executor

def fail_later(invitation, run=executor._run_agent):
    from pyspark import TaskContext
    return (1, "no memory") if TaskContext.get().attemptNumber() else run(invitation)

executor._run_agent = fail_later
fail_later.__module__ = "__main__"
"""
    speculation = {
        "spark.speculation": "true",
        "spark.speculation.task.duration.threshold": "1s",
        "spark.speculation.interval": "100ms",
    }
    run = search(program.replace("\ntry:", f"{fails}\ntry:"), speculation, begun=1)
    until(lambda: len(run.submission.processes("pyspark.daemon")) >= 4, said=run.said)
    run.let_go(0, 1, 2, 3)

    assert "attempts [1, 1, 1, 1]" in run.submission.succeed()


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


def test_an_interrupt_under_spark_submit_ends_spark_as_well(
    search: Callable[..., Search],
) -> None:
    """The JVM hears Ctrl-C, too: the run ends at once, and what had finished is kept."""
    run = search(by_spark_submit=True)
    run.let_go(0)
    run.begun(2)
    run.submission.send_signal(signal.SIGINT, like_a_terminal=True)
    run.submission.wait()

    assert run.submission.left_over() == []  # Python ends after the JVM that has started it
    assert run.record() == ("KILLED", {0: True, 1: False, 2: False})


def test_the_jvm_dies(search: Callable[..., Search]) -> None:
    """The program reads that Spark has ended, and what had finished is kept."""
    run = search()
    run.let_go(0)
    run.begun(2)
    run.submission.processes("SparkSubmit")[0].send_signal(signal.SIGKILL)

    assert run.submission.wait() == 1
    assert "AgentError: Spark has ended during the run" in run.submission.output
    assert run.record() == ("FAILED", {0: True, 1: False, 2: False})
    assert run.submission.left_over() == []


def test_a_stranger_is_sent_away(search: Callable[..., Search]) -> None:
    """The port of the driver speaks TLS; who does not, or has no token, changes nothing."""
    shown = """
from hops.experiment.driver import agents

def shown(host, known_as, open_door=agents.open_door):
    door = open_door(host, known_as=known_as)
    print("door", *door.invitation.address, flush=True)
    return door

agents.open_door = shown
"""
    run = search(SEARCH.replace("\ntry:", f"{shown}\ntry:"))
    host, port = run.submission.wait_for(r"^door (\S+) (\d+)$").groups()
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as stranger:
        stranger.sendall(struct.pack(">I", 2) + b"{}")  # what an agent says first, without TLS
        assert b"nonce" not in stranger.recv(4096)
    run.let_go(0, 1, 2, 3)

    assert "attempts [1, 1, 1, 1]" in run.submission.succeed()


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
