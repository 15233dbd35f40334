import pytest

from hops.experiment.driver.agents import Departure
from hops.experiment.engine.spark_failure import Failure

ABORTED = (
    "org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 0.0 failed "
    "1 times, most recent failure: Lost task 0.0 in stage 0.0 (TID 0) (node7 executor 1): "
)


def departure(text: str) -> Departure:
    """Return what is made of what Spark says."""
    failure = Failure(text)
    return failure.departure("spark-0", failure.host)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            "org.apache.spark.api.python.PythonException: Traceback\n"
            "pyspark.errors.exceptions.base.PySparkRuntimeError: [PYTHON_VERSION_MISMATCH] Python "
            "in worker has different version: 3.12 than that in driver: 3.11, PySpark cannot run "
            "with different minor versions.\nPlease check environment variables",
            ["On node7: ", "has Python 3.12; the driver has 3.11", "PYSPARK_PYTHON"],
            id="another Python minor",
        ),
        pytest.param(
            "pyspark.errors.exceptions.base.PySparkRuntimeError: [PYTHON_VERSION_MISMATCH] Python "
            "in worker has different version (3, 12) than that in driver 3.11, PySpark cannot run",
            ["On node7: ", "has Python (3, 12); the driver has 3.11", "PYSPARK_PYTHON"],
            id="another Python minor, as Spark 3.5 says it",
        ),
        pytest.param(
            'java.io.IOException: Cannot run program "/opt/python": error=2, No such file',
            ["On node7: ", "no Python at /opt/python", "PYSPARK_PYTHON"],
            id="no Python",
        ),
        pytest.param(
            "org.apache.spark.SparkException: \nError from python worker:\n"
            "/usr/bin/python3: Error while finding module specification for 'pyspark.daemon' "
            "(ModuleNotFoundError: No module named 'pyspark')",
            ["On node7: ", "has no pyspark", "PYSPARK_PYTHON"],
            id="no pyspark",
        ),
    ],
)
def test_what_every_agent_would_meet_is_final_and_says_what_to_do(
    text: str, told: list[str]
) -> None:
    """The user reads what differs, on which host, and which setting mends it."""
    ended = departure(ABORTED + text)

    assert ended.is_final
    assert ended.agent == "spark-0"
    for part in [*told, "\n\nHint: "]:
        assert part in ended.reason


def test_a_host_that_the_exception_leaves_out_can_be_given() -> None:
    """Spark 4.2 raises what a Python worker has raised as it is, without saying where."""
    text = "Python in worker has different version: 3.13 than that in driver: 3.11, PySpark cannot"

    assert Failure(text).departure("spark-0", "node7").reason.startswith("On node7: The executor")
    assert departure(text).reason.startswith("The executor has Python 3.13")


def test_a_lost_executor_is_not_final() -> None:
    """Another agent takes its place; one line says how it was lost, and where."""
    text = "ExecutorLostFailure (executor 1 exited) Reason: Command exited with code 137\nDriver"

    ended = departure(ABORTED + text)

    assert not ended.is_final
    assert ended.reason == (
        "On node7: ExecutorLostFailure (executor 1 exited) Reason: Command exited with code 137"
    )


def test_a_python_that_does_not_start_says_why() -> None:
    """What it wrote follows below lines that only announce it."""
    text = (
        "org.apache.spark.SparkException: \nError from python worker:\n"
        "  python3: error while loading shared libraries: libpython3.11.so.1.0\n"
        "PYTHONPATH was:\n  /spark/python/lib/pyspark.zip"
    )

    assert departure(ABORTED + text).reason == (
        "On node7: org.apache.spark.SparkException: Error from python worker: "
        "python3: error while loading shared libraries: libpython3.11.so.1.0"
    )


def test_what_python_has_raised_is_told() -> None:
    """The last line of its traceback, and not the first."""
    text = (
        "org.apache.spark.api.python.PythonException: Traceback (most recent call last):\n"
        '  File "/spark/pyspark/worker.py", line 3622, in main\n    process()\n'
        "OSError: [Errno 28] No space left on device\n\n\tat org.apache.spark.api.Runner\n"
        "Driver stacktrace:"
    )

    assert departure(ABORTED + text).reason == (
        "On node7: OSError: [Errno 28] No space left on device"
    )


@pytest.mark.parametrize(
    ("text", "is_cancellation"),
    [
        ("[SPARK_JOB_CANCELLED] Job 0 cancelled part of cancelled job group g SQLSTATE: X", True),
        ("Job 12 cancelled as part of cancellation of all jobs", True),
        ("[SPARK_JOB_CANCELLED] Job 0 cancelled  SQLSTATE: XXKDA", True),
        ("Job 0 cancelled because SparkContext was shut down", False),
        (ABORTED + "ExecutorLostFailure", False),
    ],
)
def test_a_job_that_somebody_has_cancelled_is_told_from_one_that_failed(
    text: str, *, is_cancellation: bool
) -> None:
    """In the words of Spark 3.5 and 4; the end of the context is no cancellation."""
    assert Failure(text).is_cancellation is is_cancellation


def test_what_hides_the_host_is_looked_through() -> None:
    """The exceptions of pyspark keep that of Java, which names the host."""

    class Java:
        """An exception of Java."""

        def toString(self) -> str:  # noqa: N802 - Java's name
            """Return all that it says."""
            return ABORTED + "Reason"

    error = RuntimeError("An exception was thrown from the Python worker")
    error._origin = Java()  # type: ignore[attr-defined] # noqa: SLF001 - set as pyspark does

    assert departure(Failure.of(error).text).reason == "On node7: Reason"


def test_where_the_jvm_is_gone_the_error_itself_is_told() -> None:
    """An exception of Java that cannot be asked any more is none to wait for."""

    class Gone:
        """An exception of a JVM that has ended."""

        def toString(self) -> str:  # noqa: N802 - Java's name
            """Fail."""
            raise ConnectionRefusedError

    error = RuntimeError("Answer from Java side is empty\nmore")
    error.java_exception = Gone()  # type: ignore[attr-defined] # set as py4j does

    assert departure(Failure.of(error).text).reason == "Answer from Java side is empty"
