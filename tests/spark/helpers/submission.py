"""A user's program as the driver of a Spark application, in a process of its own.

What the user's cluster decides (master, resources, Python of the executors) is in
`spark-defaults.conf` and in the environment, so that the program is the same everywhere.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import marked
from standalone import FAST_JAVA, spark_home
from waiting import PATIENCE_S, until
from workshop import empty_environment

DEFAULTS = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "512m",
    "spark.executor.extraJavaOptions": f"{FAST_JAVA} -Djava.io.tmpdir=.",  # the worker's --work-dir
    "spark.executor.memory": "512m",  # two fit into a worker of the standalone cluster
    "spark.ui.port": "0",  # any that is free
}


class Submission:
    """A program that runs, and what it has written.

    Example:
        ::

            program = submit(PROGRAM, master=cluster.url, python=executor_environment)
            program.wait_for("trial 2 begins")
            [executor, *_] = program.processes("CoarseGrainedExecutorBackend")
            executor.send_signal(signal.SIGKILL)
            assert program.wait() == 0
            assert program.left_over() == []

    Args:
        program: Its text.
        home: The user's home and working directory; the project is made in it. Modules that
            lie there can be imported.
        master: As in `spark.master`.
        name: Of the program's file, without suffix; a second program in *home* needs another.
        conf: Properties for `spark-defaults.conf`, over those in `DEFAULTS`.
        python: Program of the Python that the executors run; `None`: not configured.
        variables: More environment of the driver; there is nothing of the caller's in it but
            `PATH` and the language.
        by_spark_submit: Whether `spark-submit` starts the program: the driver's process is then
            its JVM, and the program is a child of that.
    """

    def __init__(  # noqa: PLR0913 - each is a setting of its own
        self,
        program: str,
        home: Path,
        *,
        master: str,
        name: str = "program",
        conf: Mapping[str, str] | None = None,
        python: Path | None = None,
        variables: Mapping[str, str] | None = None,
        by_spark_submit: bool = False,
    ) -> None:
        self.mark = marked.new_mark()
        self._output = home / f"{name}.out"
        file = home / f"{name}.py"
        file.write_text(program)
        scratch, conf_dir = home / "spark.local", home / f"{name}.conf"
        scratch.mkdir(exist_ok=True)
        ours = {
            "spark.driver.extraJavaOptions": f"{FAST_JAVA} -Djava.io.tmpdir={scratch}",
            f"spark.executorEnv.{marked.VARIABLE}": self.mark,
            "spark.master": master,
        }
        _write_conf(conf_dir, {**DEFAULTS, **ours, **(conf or {})})
        environment = _environment(home, conf_dir, scratch) | {marked.VARIABLE: self.mark}
        environment |= {"PYSPARK_PYTHON": str(python)} if python else {}
        starter = spark_home() / "bin/spark-submit" if by_spark_submit else sys.executable
        with self._output.open("xb") as output:
            self._driver = subprocess.Popen(
                [starter, file],
                cwd=home,
                env=environment | dict(variables or {}),
                start_new_session=True,  # so that a signal can reach all that a terminal's would
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        """The driver's process."""
        return self._driver.pid

    @property
    def output(self) -> str:
        """All that the driver and its JVM have written until now, errors included."""
        return self._output.read_text(errors="replace")

    @property
    def lines(self) -> list[str]:
        """As `output`, line by line."""
        return self.output.splitlines()

    def wait_for(self, pattern: str, *, within_s: float = PATIENCE_S) -> re.Match[str]:
        """Return the first match of *pattern* in the output, once it is there.

        The test fails where the program ends without it.
        """

        def look() -> re.Match[str] | None:
            has_ended = self._driver.poll() is not None
            found = re.search(pattern, self.output, re.MULTILINE)
            if has_ended and not found:
                pytest.fail(f"no {pattern!r} in what it wrote\n{self.output}", pytrace=False)
            return found

        found = until(look, said=lambda: self.output, within_s=within_s)
        assert found is not None
        return found

    def send_signal(self, number: signal.Signals, *, like_a_terminal: bool = False) -> None:
        """Send the driver a signal; *like_a_terminal*: its children too, as Ctrl-C does."""
        send = os.killpg if like_a_terminal else os.kill
        send(self.pid, number)

    def wait(self, *, within_s: float = PATIENCE_S) -> int:
        """Return the exit code of the driver, or minus the number of the signal that ended it."""
        try:
            return self._driver.wait(within_s)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still runs after {within_s:g} s\n{self.output}", pytrace=False)

    def succeed(self) -> str:
        """Return all that the program writes; the test fails where the program does."""
        code = self.wait()
        if code:
            pytest.fail(f"the program ended with {code}\n{self.output}", pytrace=False)
        return self.output

    def processes(self, command: str = "") -> list[marked.Process]:
        """Return its processes, wherever they run: driver, JVMs, executors, and their children.

        Args:
            command: A part of the command line.
        """
        return marked.find(self.mark, command)

    def left_over(self, *, within_s: float = 20.0) -> list[marked.Process]:
        """Return the processes that have not ended *within_s*; returns as soon as all have."""
        self._driver.poll()
        return marked.wait_for_end(self.mark, within_s=within_s)

    def close(self) -> None:
        """Kill what is left of it."""
        marked.kill_all(self.mark)
        self._driver.wait()


def _write_conf(folder: Path, properties: Mapping[str, str]) -> None:
    folder.mkdir()
    lines = [f"{name} {value}\n" for name, value in properties.items()]
    (folder / "spark-defaults.conf").write_text("".join(lines))


def _environment(home: Path, conf_dir: Path, scratch: Path) -> dict[str, str]:
    return empty_environment(home) | {
        "PYSPARK_DRIVER_PYTHON": sys.executable,  # of use to scripts of Spark only
        "PYTHONUNBUFFERED": "1",  # what it prints can be waited for
        "SPARK_CONF_DIR": str(conf_dir),
        "SPARK_LOCAL_DIRS": str(scratch),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
