"""Processes are killed and stopped while a program runs: what is kept, what is left over."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")

BOUND_S = 30.0
"""For what takes well under a second: nothing here measures time."""

PRELUDE = """
    import os, pathlib, subprocess, sys, time
    from hops import experiment

    here = pathlib.Path(sys.argv[1])

    def mark(name):
        (here / name).write_text(str(os.getpid()))

    def wait_for(name):
        while not (here / name).exists():
            time.sleep(0.01)
    """


class Program:
    """A program of the user's, in a process group of its own."""

    def __init__(self, directory: Path, text: str) -> None:
        """Start it."""
        self.here = directory / "marks"
        self.here.mkdir()
        program = directory / "program.py"
        program.write_text(textwrap.dedent(PRELUDE) + textwrap.dedent(text))
        self.process = subprocess.Popen(
            [sys.executable, str(program), str(self.here)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def mark(self, name: str) -> int:
        """Wait until the program has left a mark, and return the pid in it."""
        wait_until(lambda: (self.here / name).exists() and (self.here / name).read_text() != "")
        return int((self.here / name).read_text())

    def let(self, name: str) -> None:
        """Let the program go on."""
        (self.here / name).touch()

    def end(self) -> str:
        """Wait for the end, and return what it wrote."""
        return self.process.communicate(timeout=BOUND_S)[0]


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that comes soon."""
    deadline = time.monotonic() + BOUND_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Say whether a process lives; one that has ended and waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return not state.startswith("Z")


def parent_of(pid: int) -> int:
    """Return the parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Program]]:
    """Start programs, and end what a failing test leaves of them."""
    programs: list[Program] = []

    def start(text: str) -> Program:
        programs.append(Program(tmp_path, text))
        return programs[-1]

    yield start
    for program in programs:
        if program.process.poll() is None:
            program.process.kill()
            program.process.communicate()


LONG = """
    def train(a):
        helper = subprocess.Popen(["sleep", "600"])
        (here / f"helper{a}").write_text(str(helper.pid))
        mark(f"trial{a}")
        wait_for(f"go{a}")
        return a

    result = experiment.launch(train, {"a": [0]}, tensorboard=False)
    print("result", result.outputs[0]["metric"], "attempts", result.trials[0].attempts)
    """


@pytest.mark.parametrize("victim", ["agent", "nursery", "trial"])
def test_a_killed_process_costs_one_attempt(start: Callable[[str], Program], victim: str) -> None:
    """Whichever of its processes is killed, the trial is run again, and nothing is left over."""
    program = start(LONG)
    trial = program.mark("trial0")
    nursery = parent_of(trial)
    helper = program.mark("helper0")
    agent = parent_of(nursery)
    (program.here / "trial0").unlink()
    os.kill({"agent": agent, "nursery": nursery, "trial": trial}[victim], signal.SIGKILL)
    program.mark("trial0")
    wait_until(lambda: not is_running(trial) and not is_running(helper))
    program.let("go0")

    output = program.end()

    assert "result 0 attempts 2" in output
    assert "was lost and is run again" in output
    assert program.process.returncode == 0


def test_nothing_outlives_a_killed_driver(start: Callable[[str], Program]) -> None:
    """When the driver is killed, agent, nursery, trial and what the trial started end."""
    program = start(LONG)
    trial, helper = program.mark("trial0"), program.mark("helper0")
    nursery = parent_of(trial)
    agent = parent_of(nursery)

    program.process.kill()
    program.end()

    wait_until(lambda: not any(map(is_running, (agent, nursery, trial, helper))))


def test_a_helper_of_the_trial_ends_with_it(start: Callable[[str], Program]) -> None:
    """A process that the function started and forgot ends when the trial has ended."""
    program = start(LONG)
    helper = program.mark("helper0")
    program.let("go0")

    output = program.end()

    assert "result 0 attempts 1" in output
    wait_until(lambda: not is_running(helper))


SEARCH = """
    def train(a):
        mark(f"trial{a}")
        wait_for(f"go{a}")
        return a

    try:
        experiment.grid_search(train, {"a": list(range(6))}, workers=2, tensorboard=False)
    except KeyboardInterrupt:
        print("interrupted")
    """


def states(project: Path) -> tuple[str, list[object]]:
    """Return the state of the only run, and the parameter of each trial in its summary."""
    (run,) = (project / "Experiments").iterdir()
    facts = json.loads((run / ".experiment.json").read_text())
    summary = json.loads((run / ".summary.json").read_text())
    return facts["state"], [
        (each["parameters"]["a"], each["outputs"] is not None) for each in summary["combinations"]
    ]


def test_the_first_interrupt_lets_the_running_trials_end(
    start: Callable[[str], Program], project: Path
) -> None:
    """Ctrl-C once: no new trial begins, those that run end and are kept, and the run says so."""
    program = start(SEARCH)
    program.mark("trial0")
    program.mark("trial1")
    os.killpg(program.process.pid, signal.SIGINT)
    time.sleep(0.5)  # a worker that did not wait would begin the next trial in this time
    program.let("go0")
    program.let("go1")

    output = program.end()

    assert "Ctrl-C again" in output
    assert output.rstrip().endswith("interrupted")
    assert states(project) == ("KILLED", [(0, True), (1, True)])
    assert not (program.here / "trial2").exists()


def test_the_second_interrupt_ends_the_running_trials(
    start: Callable[[str], Program], project: Path
) -> None:
    """Ctrl-C twice: the running trials are ended, what had finished is kept."""
    program = start(SEARCH)
    program.let("go0")
    one, two = program.mark("trial1"), program.mark("trial2")
    os.killpg(program.process.pid, signal.SIGINT)
    wait_until(lambda: "Ctrl-C again" in read_so_far(program))
    os.killpg(program.process.pid, signal.SIGINT)

    output = program.end()

    assert output.rstrip().endswith("interrupted")
    assert states(project) == ("KILLED", [(0, True), (1, False), (2, False)])
    wait_until(lambda: not is_running(one) and not is_running(two))


def test_a_terminated_program_says_how_it_ended(
    start: Callable[[str], Program], project: Path
) -> None:
    """SIGTERM ends the running trials and the program; what had finished is kept."""
    program = start(SEARCH)
    program.let("go0")
    one, two = program.mark("trial1"), program.mark("trial2")
    program.process.terminate()

    program.end()

    assert program.process.returncode == 128 + signal.SIGTERM
    assert states(project) == ("KILLED", [(0, True), (1, False), (2, False)])
    wait_until(lambda: not is_running(one) and not is_running(two))


def test_a_handler_of_pyspark_does_not_end_the_trials(
    start: Callable[[str], Program], project: Path
) -> None:
    """That of SIGINT, which cancels all jobs, is set aside for the time of the run."""
    handler = """
    import signal
    def cancel_all(number, frame):
        print("cancelled")
    cancel_all.__module__ = "pyspark.context"
    signal.signal(signal.SIGINT, cancel_all)
    """
    program = start(handler + SEARCH + "os.kill(os.getpid(), signal.SIGINT)")
    program.mark("trial0")
    program.mark("trial1")
    os.killpg(program.process.pid, signal.SIGINT)
    wait_until(lambda: "Ctrl-C again" in read_so_far(program))
    program.let("go0")
    program.let("go1")

    assert program.end().rstrip().endswith("interrupted\ncancelled")
    assert states(project) == ("KILLED", [(0, True), (1, True)])


def test_an_inline_trial_can_be_terminated(start: Callable[[str], Program]) -> None:
    """Inline, SIGTERM ends the program at once, and is not taken for the function's failure."""
    program = start(SEARCH.replace("workers=2", 'engine="inline"'))
    program.mark("trial0")
    program.process.terminate()

    program.end()

    assert program.process.returncode == -signal.SIGTERM
    assert not (program.here / "trial1").exists()


def read_so_far(program: Program) -> str:
    """Return what the program has written, without waiting for more."""
    assert program.process.stdout is not None
    os.set_blocking(program.process.stdout.fileno(), False)
    try:
        return program.process.stdout.read() or ""
    finally:
        os.set_blocking(program.process.stdout.fileno(), True)


def test_a_paused_driver_loses_nothing(start: Callable[[str], Program]) -> None:
    """A driver that is stopped for some seconds goes on with the same trial afterwards."""
    program = start(LONG)
    trial = program.mark("trial0")
    os.kill(program.process.pid, signal.SIGSTOP)
    time.sleep(4)  # longer than a lost connection may take to come back
    assert is_running(trial)
    program.let("go0")
    os.kill(program.process.pid, signal.SIGCONT)

    assert "result 0 attempts 1" in program.end()
