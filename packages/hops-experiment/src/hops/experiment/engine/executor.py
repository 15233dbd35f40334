"""What a Spark executor does for a run: it looks after one agent.

This module travels to executors by value, because it has to say what is missing there. So it runs
without hops; what it takes from hops at its top travels along.
"""

import os
import socket
import sys
import time
from typing import Any

from hops.experiment.engine.process import start_agent

AGAIN_S = 5.0
"""After how long a later attempt starts its agent again."""


def look_after_agent(
    invitation: dict[str, Any],
    speculates: bool,  # noqa: FBT001 - given by position to `functools.partial`
    _element: object = None,
) -> tuple[str, int | None, str]:
    """Run an agent until it ends; it dies with this process.

    Where Spark speculates, a later attempt of the task does not end before the run does: with its
    end Spark would end the first one, which works.

    Args:
        invitation: What `start_agent` takes.
        speculates: Whether a later attempt may run beside the first one, instead of after it.

    Returns:
        This host; the exit code of the agent, minus the number of the signal that killed it, or
        `None` if it could not be started; and what it said.
    """
    from pyspark import TaskContext

    attempt = TaskContext.get().attemptNumber()
    name = f"{invitation['agent']}.{attempt}" if attempt else invitation["agent"]
    while True:
        code, said = _run_agent({**invitation, "agent": name, "parent": os.getpid()})
        if code == 0 or not (attempt and speculates):
            return socket.gethostname(), code, said
        time.sleep(AGAIN_S)


def _run_agent(invitation: dict[str, Any]) -> tuple[int | None, str]:
    if not _has_hops():
        python = ".".join(map(str, sys.version_info[:3]))
        return None, f"hops-experiment is not installed in Python {python}, {sys.executable}."
    running = start_agent(invitation, _environment())
    return running.process.wait(), running.said()


def _has_hops() -> bool:
    """Whether this Python can import it: neither the old library, nor an archive will do."""
    from importlib.util import find_spec

    try:
        found = find_spec("hops.experiment")
    except ImportError:
        return False
    return found is not None and found.submodule_search_locations is not None


def _environment() -> dict[str, str]:
    """Return ours, with the files and the GPUs that Spark has given to this task."""
    from pyspark import TaskContext

    environ = {name: value for name, value in os.environ.items() if not _is_secret(name)}
    environ["PYTHONPATH"] = os.pathsep.join(filter(_is_from_spark, sys.path))
    gpus = TaskContext.get().resources().get("gpu")
    if gpus is not None:
        environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus.addresses)
    return environ


def _is_secret(name: str) -> bool:
    """Whether a variable opens Spark to whoever knows it."""
    return name == "PYTHON_WORKER_FACTORY_SECRET" or name.startswith(("_SPARK_AUTH", "_SPARK_SSL"))


def _is_from_spark(entry: str) -> bool:
    """Whether an entry of the path is not Python's own, which another Python must not inherit.

    Spark's own jar holds no Python, and to look into it takes longer than to start.
    """
    is_jar = os.path.basename(entry).startswith("spark-core_")  # noqa: PTH119 - by value, and short
    libraries = ("lib/python", "lib64/python", "local/lib/python")
    own = tuple(f"{home}/{each}" for home in (sys.prefix, sys.base_prefix) for each in libraries)
    return bool(entry) and not is_jar and not entry.startswith(own)
