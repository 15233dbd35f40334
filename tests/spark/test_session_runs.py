"""Runs in a session that is there already: what they do, and what they leave in it."""

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hops import experiment, util
from hops.core import SettingsError
from hops.experiment import AgentError, PicklingError, TrialError
from hops.experiment.driver import run as run_module
from hops.experiment.driver.agents import Departure, open_door
from hops.experiment.driver.view.observer import Observer
from hops.experiment.engine import spark as spark_module
from hops.experiment.engine.spark import SparkEngine
from hops.experiment.settings import Settings
from waiting import until

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

QUIET: dict[str, Any] = {"engine": "spark", "verbose": False, "tensorboard": False}

pytestmark = pytest.mark.usefixtures("spark")


def jobs(spark: "SparkSession") -> list[int]:
    """Return the jobs that run, or wait for a slot."""
    return list(spark.sparkContext.statusTracker().getActiveJobsIds())


def test_two_runs_after_each_other(spark: "SparkSession") -> None:
    """Each has a directory of its own, counted up; nothing of them runs any more afterwards."""
    first = experiment.launch(lambda: 1, **QUIET)
    second = experiment.grid_search(lambda a: a, {"a": [1, 3, 2]}, **QUIET)

    assert first[1]["metric"] == 1
    assert second.best_params == {"a": 3}
    application = spark.sparkContext.applicationId
    assert Path(first[0]).name == f"{application}_1"
    assert Path(second.logdir).name == f"{application}_2"
    assert jobs(spark) == []
    assert [t.name for t in threading.enumerate() if t.name.startswith("hops-")] == []


def test_two_runs_at_once(spark: "SparkSession") -> None:
    """They share the slots; neither ends the workers of the other."""

    def train(a: int) -> int:
        time.sleep(0.1)
        return a

    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(experiment.grid_search, train, {"a": list(range(n, n + 6))}, **QUIET)
            for n in (0, 100)
        ]
        results = [run.result() for run in runs]

    assert [result.best_params for result in results] == [{"a": 5}, {"a": 105}]
    assert {trial.attempts for result in results for trial in result.trials} == {1}
    assert results[0].logdir != results[1].logdir
    assert jobs(spark) == []


def test_fewer_slots_than_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """The run begins with what there is, and its first line says how much that is."""

    def train(a: int) -> dict[str, float]:
        begin = time.time()
        time.sleep(0.2)
        return {"begin": begin, "end": time.time(), "a": a}

    options = QUIET | {"verbose": True}
    result = experiment.grid_search(
        train, {"a": list(range(6))}, optimization_key="a", workers=5, **options
    )

    header = capsys.readouterr().out.partition("\n")[0]
    assert "spark engine (2 workers of the 5 asked for, because Spark has no more slots" in header
    spans = [(t.outputs["begin"], t.outputs["end"]) for t in result.trials if t.outputs]
    at_once = [sum(b <= begin < e for b, e in spans) for begin, _ in spans]
    assert max(at_once) == 2


def test_more_slots_than_asked_for() -> None:
    """No more trials run at a time than the caller wants."""

    def train(a: int) -> dict[str, int]:
        return {"a": a, "worker": os.getppid()}

    values = {"a": list(range(8))}
    result = experiment.grid_search(train, values, optimization_key="a", workers=1, **QUIET)

    assert len({trial.outputs["worker"] for trial in result.trials if trial.outputs}) == 1


def test_what_the_function_raises_is_no_failure_of_spark(spark: "SparkSession") -> None:
    """It is recorded, chained and not retried; Spark's jobs have not failed."""

    def train() -> None:
        message = "too many units"
        raise ValueError(message)

    with pytest.raises(TrialError, match="ValueError: too many units") as caught:
        experiment.launch(train, **QUIET)

    assert "in train" in str(caught.value.__cause__)
    store = spark.sparkContext._jsc.sc().statusStore()  # noqa: SLF001 - as a user's UI asks
    newest = store.jobsList(None).apply(0)
    assert newest.description().get().startswith("hops: worker spark-")
    assert newest.status().toString() == "SUCCEEDED"


def test_a_trial_knows_nothing_of_sparks_secrets() -> None:
    """What opens the Python workers of the executor is not in a trial's environment."""

    def train() -> dict[str, Any]:
        return {"names": [name for name in os.environ if "SECRET" in name]}

    assert experiment.launch(train, **QUIET)[1]["names"] == []


def test_the_files_of_a_trial(project: Path) -> None:
    """A trial's files are in the project as on the laptop."""

    def train() -> dict[str, Any]:
        Path("model.bin").write_bytes(b"x" * 100)
        return {"model": "model.bin", "loss": float("nan")}

    logdir, outputs = experiment.launch(train, **QUIET)

    assert Path(logdir, "model.bin").read_bytes() == b"x" * 100
    assert logdir.startswith(str(project))
    assert outputs["model"].endswith("/model.bin")


def test_the_executors_are_counted() -> None:
    """A local Spark is one executor."""
    assert util.num_executors() == 1


def engine(trials: int | None = 1) -> SparkEngine:
    """Return an engine with one agent."""
    return SparkEngine(Settings.choose(engine="spark", workers=1), trials)


def departures(of: SparkEngine) -> list[Departure]:
    """Wait for agents that end."""
    return until(of.poll, said=lambda: "no agent has ended")


def test_a_driver_that_cannot_be_reached_is_final() -> None:
    """The user reads from where, at which address, and what to look at."""
    spark_engine = engine()
    door = open_door("127.0.0.1")
    door.close()  # as if something on the way let nobody through
    spark_engine.start(door.invitation)
    try:
        [departure] = departures(spark_engine)
    finally:
        spark_engine.close()

    assert departure.is_final
    port = door.invitation.address[1]
    assert f"The driver at 127.0.0.1:{port} cannot be reached: " in departure.reason
    assert "Hint: " in departure.reason
    assert "spark.driver.host" in departure.reason


@contextmanager
def slots_taken(spark: "SparkSession", until_there_is: Path) -> Iterator[None]:
    """Let a job of the user's hold both slots until a file is there, at the latest to the end."""
    context, file = spark.sparkContext, str(until_there_is)

    def hold(_element: int) -> None:
        while not os.path.exists(file):  # noqa: PTH110 - on an executor
            time.sleep(0.02)

    taken = threading.Thread(target=lambda: context.parallelize(range(2), 2).foreach(hold))
    taken.start()
    until(lambda: len(jobs(spark)) == 1, said=lambda: "the slots were not taken")
    try:
        yield
    finally:
        until_there_is.touch()
        taken.join()


def test_jobs_that_never_got_a_slot_are_cancelled(spark: "SparkSession", tmp_path: Path) -> None:
    """The end of a run does not wait for them, nor touch the jobs of others."""
    with slots_taken(spark, tmp_path / "free"):
        spark_engine = engine()
        door = open_door("127.0.0.1")
        spark_engine.start(door.invitation)
        until(lambda: len(jobs(spark)) == 2, said=lambda: "the agent was not submitted")
        spark_engine.close()
        door.close()
        assert len(jobs(spark)) == 1


def test_a_run_that_ends_at_once_leaves_nothing(spark: "SparkSession", tmp_path: Path) -> None:
    """Also before its workers have been submitted: a function that cannot be sent, for one."""
    lock = threading.Lock()
    with slots_taken(spark, tmp_path / "free"):
        with pytest.raises(PicklingError):
            experiment.launch(lambda: lock, **QUIET)
        assert len(jobs(spark)) == 1
        assert [t.name for t in threading.enumerate() if t.name.startswith("hops-spark-")] == []


def test_threads_that_share_those_of_the_jvm_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs of the user's would be taken for those of the run."""
    monkeypatch.setenv("PYSPARK_PIN_THREAD", "false")

    with pytest.raises(SettingsError, match="PYSPARK_PIN_THREAD") as caught:
        experiment.launch(lambda: 1, **QUIET)
    assert caught.value.hint == "unset PYSPARK_PIN_THREAD"


def test_another_python_in_a_trial_finds_its_own_library() -> None:
    """What the executor imports from is not in the way of other programs of the trial."""

    def train() -> dict[str, Any]:
        return {"path": [e for e in os.environ["PYTHONPATH"].split(":") if "lib/python3" in e]}

    inside = [e for e in experiment.launch(train, **QUIET)[1]["path"] if "pyspark" not in e]
    assert inside == []


def test_a_project_that_the_workers_do_not_see(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends, and the message says which directory has to be shared."""
    told = run_module._welcome  # noqa: SLF001 - to have workers look elsewhere
    elsewhere = {"store": "file:///not/there"}
    monkeypatch.setattr(run_module, "_welcome", lambda *about: told(*about) | elsewhere)

    with pytest.raises(AgentError, match="is not to be seen on") as caught:
        experiment.launch(lambda: 1, **QUIET)
    assert "HOPS_PROJECT_DIR" in str(caught.value)


def test_who_waits_for_an_executor_is_told(
    spark: "SparkSession", monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Once; and the run goes on as soon as one is free."""
    monkeypatch.setattr(spark_module, "WAITING_S", 0.1)
    told: list[str] = []
    monkeypatch.setattr(Observer, "note", lambda _, line: told.append(line))
    with slots_taken(spark, tmp_path / "free"), ThreadPoolExecutor(1) as pool:
        run = pool.submit(experiment.launch, lambda: 7, **QUIET)
        until(lambda: told, said=lambda: "nothing was told")
        (tmp_path / "free").touch()
        assert run.result()[1]["metric"] == 7

    [line] = told
    assert line.startswith("No worker has come within 0 s: has Spark a free executor, Spark UI ")


def test_slots_that_come_later_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are more workers then, and the user is told so."""
    slots = iter([0, 2])
    monkeypatch.setattr(spark_module, "count_slots", lambda _: next(slots, 2))
    monkeypatch.setattr(spark_module, "LOOK_S", 0.05)
    spark_engine = SparkEngine(Settings.choose(engine="spark"), 8)
    door = open_door("127.0.0.1")
    try:
        assert "(no executor yet, " in spark_engine.headline
        spark_engine.start(door.invitation)
        news = until(lambda: list(spark_engine.news()), said=lambda: "nothing new")
        assert news == ["Spark has slots for up to 2 workers now."]
        assert list(spark_engine.news()) == []
    finally:
        door.close()
        spark_engine.close()
