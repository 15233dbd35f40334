"""The Spark session, with stand-ins for pyspark and Java; tests/spark has real ones."""

import os
import shlex
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from hops.core import MissingDependencyError, SettingsError, spark
from hops.core.spark import Capacity, get_session, measure

NO_BOUND = str(2**31 - 1)
WATCHED = ("JAVA_HOME", "PYSPARK_PYTHON", "PYSPARK_SUBMIT_ARGS")


def make_context(master: str, executors: Sequence[Any] = (), **conf: str) -> Any:  # noqa: ANN401 - a stand-in
    """Make what is asked of a context; a keyword `a__b` is the property `spark.a.b`."""
    properties = {f"spark.{name.replace('__', '.')}": value for name, value in conf.items()}
    summaries = SimpleNamespace(size=lambda: len(executors), apply=lambda index: executors[index])
    store = SimpleNamespace(executorList=lambda _: summaries)
    runtime = SimpleNamespace(availableProcessors=lambda: 6)
    lang = SimpleNamespace(Runtime=SimpleNamespace(getRuntime=lambda: runtime))
    return SimpleNamespace(
        master=master,
        pythonExec="python3",
        getConf=lambda: SimpleNamespace(getAll=properties.items, get=properties.get),
        _jsc=SimpleNamespace(sc=lambda: SimpleNamespace(statusStore=lambda: store)),
        _jvm=SimpleNamespace(java=SimpleNamespace(lang=lang)),
    )


def make_executor(name: str, slots: int, *, active: bool = True) -> Any:  # noqa: ANN401 - a stand-in
    """Make what the status store says of one executor."""
    return SimpleNamespace(id=lambda: name, maxTasks=lambda: slots, isActive=lambda: active)


class FakeSpark:
    """What is asked of pyspark: one context, and the sessions on it."""

    def __init__(self) -> None:
        self.context = SimpleNamespace(_active_spark_context=None, _gateway=None)
        self.active: Any = None
        self.conf: dict[str, str] = {}
        self.remote = False
        self.error: Exception | None = None
        self.made: list[dict[str, str | None]] = []
        self.entered = threading.Semaphore(1)

    @property
    def builder(self) -> "FakeSpark":
        """Stand for a fresh builder."""
        return self

    def getActiveSession(self) -> Any:  # noqa: ANN401, N802 - pyspark's name
        """Return the session of this thread."""
        return self.active

    def getOrCreate(self) -> Any:  # noqa: ANN401, N802 - pyspark's name
        """Note under which variables a session is made."""
        assert self.entered.acquire(blocking=False), "two threads at a time"
        self.made.append({name: os.environ.get(name) for name in WATCHED})
        if self.error is not None:
            raise self.error
        self.active = SimpleNamespace(sparkContext=make_context("local[2]"), _jsparkSession="JVM")
        self.active.sparkContext.getConf = lambda: self.conf
        self.context._active_spark_context = self.active.sparkContext  # noqa: SLF001 - pyspark's name
        self.entered.release()
        return self.active


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSpark:
    """A stand-in for pyspark with nothing running, and for Java."""
    fake = FakeSpark()
    parts: Mapping[str, dict[str, Any]] = {
        "pyspark": {"SparkContext": fake.context},
        "pyspark.sql": {"SparkSession": fake},
        "pyspark.sql.utils": {"is_remote": lambda: fake.remote},
        "pyspark.util": {"default_api_mode": lambda: "classic"},
    }
    for name, content in parts.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    vars(sys.modules["pyspark"])["util"] = sys.modules["pyspark.util"]
    monkeypatch.setattr(spark, "find_java_home", lambda *, install: f"/java for {install}")
    return fake


def test_the_active_session_is_used_as_it_is(fake: FakeSpark) -> None:
    """Nothing is configured or started where a session is active."""
    fake.active = SimpleNamespace(_jsparkSession="JVM")

    assert get_session() is fake.active
    assert fake.made == []


def test_a_new_session_needs_java_and_this_python(fake: FakeSpark) -> None:
    """The variables hold while the session is made, and are gone afterwards."""
    session = get_session()

    [seen] = fake.made
    assert seen["JAVA_HOME"] == "/java for hops-experiment[java]"
    assert seen["PYSPARK_PYTHON"] == sys.executable
    assert session.sparkContext.pythonExec == sys.executable
    assert os.environ.keys().isdisjoint(WATCHED)
    assert get_session() is session


def test_variables_of_the_user_come_back(fake: FakeSpark, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was set before is set again; the workers' Python is not touched if it is chosen."""
    before = {"JAVA_HOME": "/mine", "PYSPARK_PYTHON": "/python", "PYSPARK_SUBMIT_ARGS": "--x y"}
    for name, value in before.items():
        monkeypatch.setenv(name, value)

    session = get_session()

    [seen] = fake.made
    assert seen["JAVA_HOME"] == "/java for hops-experiment[java]"
    assert seen["PYSPARK_PYTHON"] == "/python"
    assert session.sparkContext.pythonExec == "python3"  # as pyspark has set it
    assert {name: os.environ[name] for name in WATCHED} == before


def test_an_error_leaves_nothing_behind(fake: FakeSpark) -> None:
    """Where Spark cannot start, its own error comes out, and the environment is as before."""
    fake.error = RuntimeError("Java gateway process exited")

    with pytest.raises(RuntimeError, match="gateway"):
        get_session()

    assert os.environ.keys().isdisjoint(WATCHED)


def test_without_java_nothing_starts(fake: FakeSpark, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the search comes out before Spark is touched."""

    def refuse(**_: str) -> str:
        message = "no Java"
        raise MissingDependencyError(message)

    monkeypatch.setattr(spark, "find_java_home", refuse)

    with pytest.raises(MissingDependencyError, match="no Java"):
        get_session()

    assert fake.made == []
    assert os.environ.keys().isdisjoint(WATCHED)


def test_the_python_that_is_configured_is_used(fake: FakeSpark) -> None:
    """`spark.pyspark.python` counts, which pyspark itself ignores without `spark-submit`."""
    fake.conf["spark.pyspark.python"] = "/configured/python"

    assert get_session().sparkContext.pythonExec == "/configured/python"


def test_under_spark_submit_nothing_is_added(
    fake: FakeSpark, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`spark-submit` has a JVM and has chosen everything."""
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "4711")

    session = get_session()

    assert fake.made == [dict.fromkeys(WATCHED)]
    assert session.sparkContext.pythonExec == "python3"


def test_a_second_context_on_the_same_jvm(fake: FakeSpark) -> None:
    """After `stop()` the JVM runs on: it needs no Java, but again a Python."""
    fake.context._gateway = "running"  # noqa: SLF001 - pyspark's name

    get_session()

    assert fake.made == [
        {"JAVA_HOME": None, "PYSPARK_PYTHON": sys.executable, "PYSPARK_SUBMIT_ARGS": None}
    ]


def test_a_thread_without_an_active_session(fake: FakeSpark) -> None:
    """It gets the one of the running context, and nothing is added."""
    fake.context._active_spark_context = "running"  # noqa: SLF001 - pyspark's name

    get_session()

    assert fake.made == [dict.fromkeys(WATCHED)]


def test_one_thread_starts_and_the_others_wait(fake: FakeSpark) -> None:
    """The environment belongs to all threads, so only one of them changes it."""
    with ThreadPoolExecutor(4) as pool:
        sessions = list(pool.map(lambda _: get_session(), range(8)))

    assert all(session is fake.active for session in sessions)
    assert len(fake.made) == 1
    assert os.environ.keys().isdisjoint(WATCHED)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("/x/train it.py", "hops: train it.py"),
        ("/x/tool/__main__.py", "hops: tool"),
        (None, "hops"),
    ],
)
def test_the_application_is_named_after_the_program(
    fake: FakeSpark, monkeypatch: pytest.MonkeyPatch, file: str | None, name: str
) -> None:
    """A script, a package that is run, and a notebook, which has no file."""
    main = ModuleType("__main__")
    if file is not None:
        main.__file__ = file
    monkeypatch.setitem(sys.modules, "__main__", main)

    get_session()

    assert shlex.split(str(fake.made[0]["PYSPARK_SUBMIT_ARGS"])) == [
        *("--conf", f"spark.app.name={name}"),
        *("--conf", "spark.ui.showConsoleProgress=false"),
        "pyspark-shell",
    ]


def test_given_arguments_come_last(fake: FakeSpark, monkeypatch: pytest.MonkeyPatch) -> None:
    """`spark-submit` takes the last of two values, so what the user says wins."""
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", "--name 'my own' pyspark-shell")

    get_session()

    arguments = shlex.split(str(fake.made[0]["PYSPARK_SUBMIT_ARGS"]))
    assert arguments[-3:] == ["--name", "my own", "pyspark-shell"]


def test_without_pyspark(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which extra brings it."""
    for name in ("pyspark", "pyspark.sql"):
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(MissingDependencyError, match=r"pip install 'hops-experiment\[spark\]'"):
        get_session()


@pytest.mark.parametrize(
    ("variable", "value", "hint"),
    [
        ("SPARK_REMOTE", "sc://host/;token=secret", "unset SPARK_REMOTE"),
        ("SPARK_REMOTE", "", "unset SPARK_REMOTE"),
        ("SPARK_API_MODE", "Connect", "export SPARK_API_MODE=classic"),
    ],
)
def test_spark_connect_by_a_variable(
    fake: FakeSpark, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, hint: str
) -> None:
    """What would make pyspark connect is refused before anything starts; no token is shown."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError, match="Spark Connect") as raised:
        get_session()

    assert raised.value.hint == hint
    assert "secret" not in str(raised.value)
    assert fake.made == []


def test_spark_connect_by_what_is_installed(
    fake: FakeSpark, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package `pyspark-connect` changes pyspark's mode; a variable changes it back."""
    monkeypatch.setattr(sys.modules["pyspark.util"], "default_api_mode", lambda: "connect")
    with pytest.raises(SettingsError, match="Spark Connect"):
        get_session()
    assert fake.made == []

    monkeypatch.setenv("SPARK_API_MODE", "classic")
    get_session()


def test_spark_connect_in_this_process(fake: FakeSpark) -> None:
    """A process that uses Spark Connect already cannot have both."""
    fake.remote = True

    with pytest.raises(SettingsError, match="Spark Connect"):
        get_session()

    assert fake.made == []


def test_a_session_without_a_jvm(fake: FakeSpark) -> None:
    """Whatever pyspark itself says, a session without a JVM is one of Spark Connect."""
    fake.active = object()

    with pytest.raises(SettingsError, match="has no JVM"):
        get_session()


def test_an_older_pyspark_has_no_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 4.0 there was nothing to choose."""
    monkeypatch.delattr(sys.modules["pyspark.util"], "default_api_mode")

    get_session()


@pytest.mark.parametrize(
    ("master", "local"),
    [
        ("local", True),
        ("local[3]", True),
        ("local[*]", True),
        ("local[ 3 , 2 ]", True),
        ("local-cluster[2,1,1024]", False),
        ("spark://localhost:7077", False),
        ("yarn", False),
        ("k8s://https://local[3]", False),
    ],
)
def test_which_masters_are_local(master: str, *, local: bool) -> None:
    """One JVM on this machine, and not the cluster that Spark plays in one."""
    assert spark.is_local(make_context(master)) is local


@pytest.mark.parametrize(
    ("master", "slots"),
    [("local", 1), ("local[3]", 3), ("local[*]", 6), ("local[4,2]", 4)],
)
def test_a_local_master(master: str, slots: int) -> None:
    """One executor, as many slots as cores; dynamic allocation does nothing there."""
    context = make_context(master, [make_executor("driver", 0)], dynamicAllocation__enabled="true")

    assert spark.count_executors(context) == 1
    assert spark.count_slots(context) == slots


def test_a_local_master_whose_tasks_take_two_cores() -> None:
    """A task takes as many cores as `spark.task.cpus` says."""
    assert spark.count_slots(make_context("local[5]", task__cpus="2")) == 2


@pytest.mark.parametrize("master", ["spark://host:7077", "local-cluster[2,1,1024]"])
def test_a_standalone_cluster(master: str) -> None:
    """What is registered and active now; the driver is no executor."""
    executors = [make_executor("0", 2), make_executor("1", 3)]
    others = [make_executor("driver", 0), make_executor("2", 9, active=False)]

    assert spark.count_executors(make_context(master)) == 0
    assert spark.count_slots(make_context(master)) == 0
    assert spark.count_executors(make_context(master, [*others, *executors])) == 2
    assert spark.count_slots(make_context(master, [*others, *executors])) == 5


@pytest.mark.parametrize("master", ["yarn", "k8s://https://host:443"])
@pytest.mark.parametrize(
    ("conf", "registered", "expected"),
    [
        ({}, [], (2, 2)),
        ({"executor.instances": "5"}, [], (5, 5)),
        ({"executor.instances": "5", "executor.cores": "4"}, [], (5, 20)),
        ({"executor.instances": "5", "executor.cores": "4", "task.cpus": "3"}, [], (5, 5)),
        ({"executor.instances": "5", "executor.cores": "4"}, [2], (5, 10)),
        ({"dynamicAllocation.enabled": "false", "executor.instances": "3"}, [], (3, 3)),
    ],
)
def test_a_fixed_number_of_executors(
    master: str, conf: dict[str, str], registered: list[int], expected: tuple[int, int]
) -> None:
    """What was asked for counts from the first moment; slots are those of a real executor."""
    properties = {f"spark.{name}": value for name, value in conf.items()}

    assert measure(master, properties, registered) == Capacity(*expected)


@pytest.mark.parametrize("master", ["yarn", "k8s://https://host:443", "spark://host:7077"])
@pytest.mark.parametrize(
    ("conf", "registered", "expected"),
    [
        ({"dynamicAllocation.maxExecutors": "8"}, [], (8, 8)),
        ({"dynamicAllocation.maxExecutors": "8", "executor.cores": "2"}, [], (8, 16)),
        ({"dynamicAllocation.maxExecutors": "8"}, [3, 4], (8, 32)),
        ({"dynamicAllocation.maxExecutors": "8", "executor.instances": "3"}, [], (8, 8)),
        ({}, [], (1, None)),
        ({}, [2, 2, 2], (3, None)),
        ({"dynamicAllocation.maxExecutors": NO_BOUND}, [2], (1, None)),
    ],
)
def test_dynamic_allocation(
    master: str, conf: dict[str, str], registered: list[int], expected: tuple[int, int | None]
) -> None:
    """The most that it may come to; without a bound there is no number of slots."""
    properties = {f"spark.{name}": value for name, value in conf.items()}
    properties["spark.dynamicAllocation.enabled"] = "TRUE"

    assert measure(master, properties, registered) == Capacity(*expected)


def test_a_context_where_pyspark_was_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is none, and looking for it imports nothing."""
    monkeypatch.delitem(sys.modules, "pyspark")

    assert spark.find_context() is None
    assert "pyspark" not in sys.modules
