"""The Spark session of this program, and how much of Spark there is for it.

`pyspark` is imported inside the functions only. Spark Connect is refused: what hops does with Spark
needs a `SparkContext`, which such a session does not have.
"""

import os
import re
import shlex
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from hops.core.errors import ServiceUnreachableError, SettingsError
from hops.core.java import find_java_home
from hops.core.optional import import_optional
from hops.core.variables import set_variables

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

_LOCAL = re.compile(r"local(?:\[\s*(?P<cores>[0-9]+|\*)\s*(?:,\s*[0-9]+\s*)?\])?")
_NO_BOUND = 2**31 - 1  # what Spark itself means by no bound: Int.MaxValue
_STARTING = threading.Lock()


def get_session() -> "SparkSession":
    """Return the active session, else a new one.

    A new one is configured by Spark's own means only: `spark-defaults.conf`, `spark-submit`, or
    `PYSPARK_SUBMIT_ARGS`; on a machine without any of them it is `local[*]`. Where this call has to
    start a JVM, it adds what is missing, in the environment, and only until the session is made:

    * `JAVA_HOME`: what `find_java_home()` finds.
    * `PYSPARK_PYTHON`, if neither that nor `spark.pyspark.python` is set: this Python. Workers of
      this machine then find what the program finds. Executors of other machines need a Python at
      the same path; pyspark's own choice, the first `python3` of their search path, fails there
      later and less clearly. `spark.pyspark.python`, which pyspark does not look at unless
      `spark-submit` starts the program, counts here.
    * `PYSPARK_SUBMIT_ARGS` gets a name for the application, `hops: <program>`, and no progress bar
      on the terminal; what the variable already says of the two wins.

    A JVM that runs already, as under `spark-submit` and in the notebooks of a cluster, is used as
    it is.

    Raises:
        MissingDependencyError: pyspark is not installed, or there is no Java for it.
        SettingsError: The session is, or would be, one of Spark Connect; nothing was started.
        ServiceUnreachableError: The JVM of this program's session has died.
    """
    import_optional("pyspark.sql", install="hops-experiment[spark]")
    from pyspark.sql import SparkSession

    _check_environment()
    with _STARTING:
        try:
            session = SparkSession.getActiveSession() or _make_session()
        except ConnectionError as error:
            message = f"Spark's JVM of this program has ended: {error}."
            hint = "restart this program, or the kernel of the notebook"
            raise ServiceUnreachableError(message, hint=hint) from error
    if not hasattr(session, "_jsparkSession"):
        _refuse_connect("the active session has no JVM", "stop it, and make a classic one")
    return session


def find_context() -> "SparkContext | None":
    """Return the context of this process; `None` where there is none, or no pyspark.

    Nothing is started, and pyspark is not imported: who has not, has no context either.
    """
    pyspark = sys.modules.get("pyspark")
    context = getattr(pyspark, "SparkContext", None)
    return getattr(context, "_active_spark_context", None)


def is_local(context: "SparkContext") -> bool:
    """Tell whether Spark is one JVM on this machine: `local`, `local[4]`, `local[*,2]`."""
    return _LOCAL.fullmatch(str(context.master)) is not None


def count_executors(context: "SparkContext") -> int:
    """Count the executors that the program has, or may have.

    Returns:
        One on a local master. With dynamic allocation the most that it may ask for; where that has
        no bound, those registered now, at least one. On YARN and Kubernetes as many as were asked
        for. Elsewhere those registered now: none in the first seconds, then more.
    """
    return _measure(context).executors


def count_slots(context: "SparkContext") -> int | None:
    """Count the tasks that can run at the same time, on all executors of `count_executors()`.

    Returns:
        `None` where dynamic allocation has no bound.
    """
    return _measure(context).slots


class Capacity(NamedTuple):
    """How much of Spark there is for one program."""

    executors: int

    slots: int | None
    """Tasks at the same time; `None`: no bound."""


def measure(master: str, conf: Mapping[str, str], registered: Sequence[int]) -> Capacity:
    """Decide what `count_executors()` and `count_slots()` answer.

    Args:
        master: As in `spark.master`.
        conf: The properties that are set; for others Spark's own defaults count.
        registered: The slots of each executor that is there now; on a local master those of the
            driver.

    Source:
        Spark's documentation: "Configuration", "Running on YARN", "Running on Kubernetes".
    """
    if _LOCAL.fullmatch(master):
        return Capacity(1, sum(registered))
    each = max(registered, default=_configured_slots(conf))
    if conf.get("spark.dynamicAllocation.enabled", "false").lower() == "true":
        bound = int(conf.get("spark.dynamicAllocation.maxExecutors", _NO_BOUND))
        if bound >= _NO_BOUND:
            return Capacity(max(1, len(registered)), None)
        return Capacity(bound, bound * each)
    if master == "yarn" or master.startswith("k8s://"):
        instances = int(conf.get("spark.executor.instances", 2))
        return Capacity(instances, instances * each)
    return Capacity(len(registered), sum(registered))


def _configured_slots(conf: Mapping[str, str]) -> int:
    slots = int(conf.get("spark.executor.cores", 1)) // int(conf.get("spark.task.cpus", 1))
    needed = float(conf.get("spark.task.resource.gpu.amount", 0))  # a half: two tasks share one
    if needed:
        slots = min(slots, int(int(conf.get("spark.executor.resource.gpu.amount", 0)) / needed))
    return slots


def _measure(context: "SparkContext") -> Capacity:
    conf = dict(context.getConf().getAll())
    master = str(context.master)
    local = _LOCAL.fullmatch(master)
    if local is None:
        return measure(master, conf, _list_registered(context))
    cores = _count_cores(context, local["cores"] or "1")
    return measure(master, conf, [cores // int(conf.get("spark.task.cpus", 1))])


def _count_cores(context: "SparkContext", given: str) -> int:
    """Count what a local master runs on; its status store learns it late, so it is not asked."""
    if given != "*":
        return int(given)
    jvm: Any = context._jvm  # noqa: SLF001 - the only way to the JVM
    return int(jvm.java.lang.Runtime.getRuntime().availableProcessors())


def _list_registered(context: "SparkContext") -> list[int]:
    """Ask the driver's status store, which there is with and without Spark's UI."""
    store = context._jsc.sc().statusStore()  # noqa: SLF001 - the only way to the JVM
    found = store.executorList(True)  # noqa: FBT003 - Java takes no names: active ones only
    summaries = [found.apply(position) for position in range(found.size())]
    return [each.maxTasks() for each in summaries if each.isActive() and each.id() != "driver"]


def _check_environment() -> None:
    """Refuse Spark Connect by the signs by which pyspark chooses it."""
    from pyspark import util
    from pyspark.sql.utils import is_remote

    if is_remote():
        hint = "start a process without one, with the package pyspark, not pyspark-client"
        _refuse_connect("this process is set up for them", hint)
    if "SPARK_REMOTE" in os.environ:  # its value may hold a token
        _refuse_connect("SPARK_REMOTE is set", "unset SPARK_REMOTE")
    default = getattr(util, "default_api_mode", lambda: "classic")()  # since pyspark 4.0
    mode = os.environ.get("SPARK_API_MODE", "").lower()
    if (mode if mode in {"classic", "connect"} else default) == "connect":
        _refuse_connect("pyspark's mode here is 'connect'", "export SPARK_API_MODE=classic")


def _refuse_connect(sign: str, hint: str) -> NoReturn:
    message = f"Sessions of Spark Connect cannot be used, and {sign}. Expected a classic session."
    raise SettingsError(message, hint=hint)


def _make_session() -> "SparkSession":
    from pyspark.sql import SparkSession

    additions = {} if find_context() is not None else _list_additions()
    with set_variables(additions):
        session = SparkSession.builder.getOrCreate()
    if "PYSPARK_PYTHON" in additions:
        context = session.sparkContext
        configured = context.getConf().get("spark.pyspark.python")
        context.pythonExec = configured or additions["PYSPARK_PYTHON"]
    return session


def _list_additions() -> dict[str, str]:
    """Name the variables that a new context is to be made under."""
    from pyspark import SparkContext

    if "PYSPARK_GATEWAY_PORT" in os.environ:
        return {}  # spark-submit has started this program, and chosen everything
    additions = {} if os.environ.get("PYSPARK_PYTHON") else {"PYSPARK_PYTHON": sys.executable}
    if SparkContext._gateway is None:  # noqa: SLF001 - whether a JVM is there has no public name
        additions["JAVA_HOME"] = str(find_java_home(install="hops-experiment[java]"))
        additions["PYSPARK_SUBMIT_ARGS"] = _submit_arguments()
    return additions


def _submit_arguments() -> str:
    """Put our settings before those that are given: of two values, spark-submit takes the last."""
    settings = {"spark.app.name": _program_name(), "spark.ui.showConsoleProgress": "false"}
    ours = [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
    return f"{shlex.join(ours)} {os.environ.get('PYSPARK_SUBMIT_ARGS') or 'pyspark-shell'}"


def _program_name() -> str:
    file = getattr(sys.modules["__main__"], "__file__", None)  # a notebook has none
    if file is None:
        return "hops"
    path = Path(file)
    return f"hops: {path.parent.name if path.name == '__main__.py' else path.name}"
