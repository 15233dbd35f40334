import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hops import experiment
from hops.experiment import AgentError

QUIET: dict[str, Any] = {"verbose": False, "tensorboard": False}


def process_of(a: int) -> dict[str, Any]:
    """Say which process the trial runs in, and what it inherited."""
    return {"metric": a, "pid": os.getpid(), "json": "json" in sys.modules}


@pytest.mark.parametrize("isolation", ["process", "spawn"])
def test_each_trial_has_its_process(isolation: str) -> None:
    """With isolation `process` and `spawn` no two trials share a process."""
    result = experiment.grid_search(process_of, {"a": [1, 2, 3]}, isolation=isolation, **QUIET)

    pids = {trial.outputs["pid"] for trial in result.trials if trial.outputs}
    assert len(pids) == 3
    assert os.getpid() not in pids


def test_a_worker_keeps_its_process() -> None:
    """With isolation `worker` the trials of an agent share a process, one after the other."""
    result = experiment.grid_search(
        process_of, {"a": list(range(20))}, isolation="worker", workers=1, **QUIET
    )

    assert len({trial.outputs["pid"] for trial in result.trials if trial.outputs}) == 1
    logs = [Path(result.logdir, f"a={a}/output.log").read_text() for a in range(20)]
    assert all(log.count("Finished running task") == 1 for log in logs)


def test_a_worker_keeps_the_output_of_its_trials_apart() -> None:
    """What a trial prints is in its own log, although the process is shared."""
    result = experiment.grid_search(
        lambda a: print("this is", a) or a, {"a": [1, 2, 3]}, isolation="worker", workers=1, **QUIET
    )

    for a in (1, 2, 3):
        log = Path(result.logdir, f"a={a}/output.log").read_text()
        assert next(line.partition(": ")[2] for line in log.splitlines()) == f"this is {a}"
        assert log.count("this is") == 1


def test_a_worker_that_dies_is_replaced() -> None:
    """A trial that ends the shared process fails alone."""
    result = experiment.grid_search(
        lambda a: os._exit(4) if a == 1 else a,
        {"a": [0, 1, 2, 3]},
        isolation="worker",
        workers=1,
        **QUIET,
    )

    assert [trial.metric for trial in result.trials] == [0.0, None, 2.0, 3.0]


def test_preloaded_modules_are_imported_once() -> None:
    """A preloaded module is there when the trial begins, without an import of its own."""
    result = experiment.launch(lambda: "sqlite3" in sys.modules, preload=["sqlite3"], **QUIET)
    without = experiment.launch(lambda: "sqlite3" in sys.modules, **QUIET)

    assert result.outputs["metric"] is True
    assert without.outputs["metric"] is False


def test_a_module_that_cannot_be_preloaded_ends_the_run() -> None:
    """A preload that fails is an error that names the module, and no trial is lost in a loop."""
    with pytest.raises(AgentError, match="'no_such_module' cannot be imported"):
        experiment.launch(lambda: 1, preload=["no_such_module"], **QUIET)


def test_a_trial_has_no_keyboard() -> None:
    """`input()` fails at once, with a hint to the inline engine."""
    result = experiment.launch(lambda a: input("?") if a else 1, {"a": [0, 1]}, **QUIET)

    assert (result.trials[1].error or "").startswith("EOFError")
    assert "engine='inline'" in (result.trials[1].traceback or "")


def test_a_relative_path_of_the_caller_is_explained(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file that is where the program was started gives a hint about the working directory."""
    monkeypatch.chdir(tmp_path)
    Path("data.csv").write_text("1")

    result = experiment.launch(
        lambda a: Path("data.csv").read_text() if a else "", {"a": [0, 1]}, **QUIET
    )

    assert f"'data.csv' is in {tmp_path}" in (result.trials[1].traceback or "")


def test_numeric_libraries_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of two workers gets its part of the cores; what the user has set stays."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "7")

    def train(a: int) -> str:
        return f"{a} {os.environ['OMP_NUM_THREADS']} {os.environ['MKL_NUM_THREADS']}"

    result = experiment.launch(train, {"a": [1, 2]}, workers=2, **QUIET)

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert result.outputs[0]["metric"] == f"1 {max(1, (cores or 1) // 2)} 7"


def test_exit_handlers_run_before_the_result_counts() -> None:
    """What a library writes in its exit handler is in the trial's directory."""

    def train() -> str:
        import atexit

        path = Path("late.txt").absolute()
        atexit.register(lambda: path.write_text("written"))
        return "done"

    logdir, _ = experiment.launch(train, **QUIET)

    assert Path(logdir, "work/late.txt").read_text() == "written"


ISOLATIONS = ["process", "spawn", "worker"]


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_trial_imports_what_the_program_imports(
    isolation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two modules of one name, the trial gets the one that comes first in the program's path."""
    for place in ("first", "second"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "ambiguous_module.py").write_text(f"WHERE = {place!r}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "second"))
    monkeypatch.syspath_prepend(tmp_path / "first")

    def train() -> str:
        import ambiguous_module  # type: ignore[import-not-found]

        return str(ambiguous_module.WHERE)

    assert experiment.launch(train, isolation=isolation, **QUIET).outputs["metric"] == "first"


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_copy_that_the_function_forks_does_not_report(isolation: str) -> None:
    """A forked copy of the process that returns from the function ends, and says nothing."""

    def train(a: int) -> int:
        if os.fork() == 0:
            return -1
        os.wait()
        return a

    result = experiment.grid_search(
        train, {"a": list(range(6))}, isolation=isolation, workers=1, **QUIET
    )

    assert [trial.metric for trial in result.trials] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets orphans be adopted")
@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_process_in_a_session_of_its_own_ends_with_the_trial(isolation: str) -> None:
    """What the function starts ends with it, although it has left the trial's process group."""

    def train() -> int:
        return subprocess.Popen(["/bin/sleep", "600"], start_new_session=True).pid

    helper = int(experiment.launch(train, isolation=isolation, **QUIET).outputs["metric"])

    assert not Path(f"/proc/{helper}").exists()


def test_threads_and_programs_of_a_trial_know_it() -> None:
    """A thread, and a program that the trial starts, get the trial's directory for TensorBoard."""

    def train() -> dict[str, Any]:
        from concurrent.futures import ThreadPoolExecutor

        from hops import tensorboard

        with ThreadPoolExecutor(1) as pool:
            thread = pool.submit(tensorboard.logdir).result()
        command = "from hops import tensorboard; print(tensorboard.logdir())"
        program = subprocess.check_output([sys.executable, "-c", command], text=True).strip()
        return {"own": tensorboard.logdir() == thread == program, "there": Path(program).is_dir()}

    _, outputs = experiment.launch(train, **QUIET)

    assert (outputs["own"], outputs["there"]) == (True, True)


def test_a_preloaded_module_that_exits_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that leaves the program when it is imported is an error like any other."""
    (tmp_path / "leaving_module.py").write_text("raise SystemExit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(AgentError, match="'leaving_module' cannot be imported: SystemExit"):
        experiment.launch(lambda: 1, preload=["leaving_module"], **QUIET)
