"""What a Spark executor does for a run: it looks after one agent.

This module travels to executors by value, because it has to say what is missing there. So it runs
without hops; what it takes from hops at its top travels along.
"""

import os
import socket
import sys
from typing import Any

from hops.experiment.engine.process import start_agent


def look_after_agent(
    invitation: dict[str, Any], _element: object = None
) -> tuple[str, int | None, str]:
    """Run an agent until it ends; it dies with this process.

    Args:
        invitation: What `start_agent` takes.

    Returns:
        This host; the exit code of the agent, minus the number of the signal that killed it, or
        `None` if it could not be started; and what it said.
    """
    from pyspark import TaskContext

    host = socket.gethostname()
    if not _has_hops():
        python = ".".join(map(str, sys.version_info[:3]))
        return host, None, f"hops-experiment is not installed in Python {python}, {sys.executable}."
    attempt = TaskContext.get().attemptNumber()
    name = f"{invitation['agent']}.{attempt}" if attempt else invitation["agent"]
    running = start_agent({**invitation, "agent": name, "parent": os.getpid()}, _environment())
    return host, running.process.wait(), running.said()


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

    # Without Spark's own jar: it holds no Python, and to look into it takes longer than to start.
    path = [entry for entry in sys.path if entry and "spark-core_" not in entry]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    environ.pop("PYTHON_WORKER_FACTORY_SECRET", None)  # opens this process to whoever knows it
    gpus = TaskContext.get().resources().get("gpu")
    if gpus is not None:
        environ["CUDA_VISIBLE_DEVICES"] = ",".join(gpus.addresses)
    return environ
