"""Why a Spark job has failed, in words that say what to do where anything can be done."""

import re
from typing import NamedTuple

from hops.experiment.driver.agents import Departure

_TASK = re.compile(r"\((?P<host>\S+) executor \S+?\): (?P<reason>.+)", re.DOTALL)
_CANCELLED = re.compile(r"Job \d+ cancelled (?!because SparkContext was shut down)")

_PYTHON = (
    "set PYSPARK_PYTHON (under spark-submit: spark.pyspark.python) to a Python that every executor "
    "has, with hops-experiment in it"
)

_ADVICE = {
    r"Python in worker has different version:? (?P<there>.+?) than .*?:? (?P<here>\d[\d.]*),": (
        "The executor has Python {there}; the driver has {here}."
    ),
    r"Cannot run program \"(?P<program>[^\"]*)\"": "The executor has no Python at {program}.",
    r"No module named '?pyspark\b": "The executor's Python has no pyspark.",
}
"""Failures that every other agent would meet, too, and what to say of them."""


class Failure(NamedTuple):
    """What Spark says of a job that has failed."""

    text: str

    @classmethod
    def of(cls, error: Exception) -> "Failure":
        """Take what Spark's own exception says, of which pyspark's may hide the host."""
        origin = getattr(error, "java_exception", None) or getattr(error, "_origin", None)
        try:
            return cls(str(error) if origin is None else origin.toString())
        except Exception:  # noqa: BLE001 - of py4j, where the JVM is gone
            return cls(str(error))

    @property
    def is_cancellation(self) -> bool:
        """Whether somebody has cancelled the job."""
        return bool(_CANCELLED.search(self.text))

    @property
    def host(self) -> str | None:
        """Where the task ran; `None` if Spark does not say."""
        task = _TASK.search(self.text)
        return task["host"] if task else None

    def departure(self, agent: str, host: str | None) -> Departure:
        """Say how the *agent* of the job has ended.

        Args:
            agent: Its name.
            host: Where it ran; `None`: not known.
        """
        task = _TASK.search(self.text)
        where = f"On {host}: " if host else ""
        for pattern, advice in _ADVICE.items():
            found = re.search(pattern, self.text)
            if found:
                reason = f"{where}{advice.format(**found.groupdict())}\n\nHint: {_PYTHON}"
                return Departure(agent, reason, is_final=True)
        reason = task["reason"] if task else self.text
        return Departure(agent, where + _first_sentence(reason))


def _first_sentence(text: str) -> str:
    """Return the error of a traceback, else the first line with what a colon announces below it."""
    _, python, below = text.partition("Traceback (most recent call last)")
    if python:
        lines = below.partition("\n\tat ")[0].splitlines()[1:]
        return next((line for line in reversed(lines) if line[:1].strip()), text)
    told = ""
    for line in text.splitlines():
        told = f"{told} {line.strip()}".strip()
        if not told.endswith(":"):
            break
    return told
