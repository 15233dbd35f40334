"""The log file of the current run, which every process of it writes to."""

import os

from hops.core import environment
from hops.hdfs.paths import locate

_DEFAULT = "Experiments/logfile"


def log(message: object) -> None:
    """Add a line to the log file of the current run.

    Any number of processes may log at once: no line is lost, and none is mixed with another. The
    line is there when the call returns; it survives a crash of the program, while a power failure
    may cost the last seconds.

    Args:
        message: The line, as `str()` gives it; a line end is added if it has none, and what UTF-8
            cannot hold is escaped.

    The file is what the environment variable `EXEC_LOGFILE` says, a path in the project; without it
    `Experiments/logfile`.
    """
    place = locate(os.environ.get(environment.EXEC_LOGFILE) or _DEFAULT)
    line = str(message)
    text = line if line.endswith("\n") else f"{line}\n"
    place.store.append(place.path, text.encode(errors="backslashreplace"))
