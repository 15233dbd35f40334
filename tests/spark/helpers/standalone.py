"""A standalone Spark cluster on this machine, made of what pyspark's package brings.

Its master and its workers are processes of their own and listen on 127.0.0.1 only, at ports that
the kernel chooses. An executor runs as a child of a worker, with the worker's environment: a home
without a project, and a search path without the Python of the tests.
"""

import itertools
import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import urlopen

import pytest

import marked
from waiting import PATIENCE_S, until

FAST_JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData"
"""Options of a JVM that is to start soon rather than to run fast later."""

END_S = 20.0

HOSTS = ("127.0.0.1", "localhost")
"""Two names of one address, by turns, because Spark does some things on another host only: it
starts no second attempt of a slow task on that of the first.
"""


def spark_home() -> Path:
    """Return the directory of pyspark's package."""
    spec = find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


class StandaloneCluster:
    """A master with workers; use it in a `with` statement, which leaves no process behind.

    Example:
        ::

            with StandaloneCluster(tmp_path, java_home, workers=1, cores=2, gpus=2) as cluster:
                submit(program, master=cluster.url)

    Args:
        folder: For logs, working directories of executors, and their home; is made.
        java_home: Of the Java for master, workers and executors.
        workers: How many there are.
        cores: Task slots of each worker. Each also has 1 GiB of memory for its executors.
        gpus: Made-up GPUs of each worker. The addresses of the first are 0, 1, ...; those of the
            second follow, because they are on one machine.
    """

    url: str
    """What `spark.master` has to be."""

    workers: list[subprocess.Popen[bytes]]
    """Their processes, which may be killed: `settle()` starts others in their place."""

    def __init__(
        self, folder: Path, java_home: Path, *, workers: int = 2, cores: int = 1, gpus: int = 0
    ) -> None:
        self.workers = []
        self._folder, self._java_home = folder, java_home
        self._count, self._cores, self._gpus = workers, cores, gpus
        self._mark = marked.new_mark()
        self._started = 0
        self._master: subprocess.Popen[bytes]
        self._page: str

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        (self._folder / "home").mkdir()
        try:
            self._start_master()
            for position in range(self._count):
                self.workers.append(self._start_worker(position))
            self.settle()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def settle(self) -> None:
        """Replace workers that have ended, and wait until all are there and have nothing to do."""
        for position, worker in enumerate(self.workers):
            if worker.poll() is not None:
                self.workers[position] = self._start_worker(position)
        until(self._is_free, said=self.said)

    def processes(self, command: str = "") -> list[marked.Process]:
        """Return the processes of the cluster, executors and what they started included."""
        return marked.find(self._mark, command)

    def status(self) -> dict[str, Any]:
        """Return what the master knows of its workers and of the programs that run."""
        with urlopen(f"{self._page}/json/", timeout=PATIENCE_S) as answer:  # noqa: S310 - 127.0.0.1
            status: dict[str, Any] = json.load(answer)
        return status

    def said(self) -> str:
        """Return the end of what master and workers have written."""
        return "\n".join(_tail(log) for log in sorted(self._folder.glob("*.log")))

    def close(self) -> None:
        """End everything: in order where it goes, else by force."""
        daemons = [*self.workers, *([self._master] if hasattr(self, "_master") else [])]
        for daemon in daemons:
            daemon.terminate()
        marked.wait_for_end(self._mark, within_s=END_S)
        marked.kill_all(self._mark)
        for daemon in daemons:
            daemon.wait()

    def _start_master(self) -> None:
        options = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
        log = self._folder / "master.log"
        self._master = self._start("org.apache.spark.deploy.master.Master", options, log)
        self.url = self._announced(log, r"Starting Spark master at (spark://127\.0\.0\.1:\d+)")
        self._page = self._announced(log, r"and started at (http://127\.0\.0\.1:\d+)")

    def _announced(self, log: Path, pattern: str) -> str:
        """Return what *log* tells of the master once it listens."""

        def look() -> str | None:
            if self._master.poll() is not None:
                pytest.fail(f"the master has ended\n{_tail(log)}", pytrace=False)
            found = re.search(pattern, log.read_text())
            return found and found[1]

        announced = until(look, said=self.said)
        assert announced is not None
        return announced

    def _start_worker(self, position: int) -> subprocess.Popen[bytes]:
        self._started += 1
        folder = self._folder / f"worker-{self._started}"
        folder.mkdir()
        options: dict[str, str | Path] = {
            "--host": HOSTS[position % len(HOSTS)],
            "--webui-port": "0",
            "--cores": str(self._cores),
            "--memory": "1g",
            "--work-dir": folder,
            "--properties-file": self._write_properties(folder, position * self._gpus),
        }
        arguments = [*itertools.chain(*options.items()), self.url]
        log = folder.with_suffix(".log")
        return self._start("org.apache.spark.deploy.worker.Worker", arguments, log)

    def _write_properties(self, folder: Path, first_gpu: int) -> Path:
        """Write what there is no option for: which GPUs a worker has."""
        properties = folder / "worker.properties"
        properties.touch()
        if self._gpus:
            addresses = [str(first_gpu + each) for each in range(self._gpus)]
            script = folder / "gpus"
            found = json.dumps({"name": "gpu", "addresses": addresses})
            script.write_text(f"#!/bin/sh\necho '{found}'\n")
            script.chmod(0o755)
            properties.write_text(
                f"spark.worker.resource.gpu.amount {self._gpus}\n"
                f"spark.worker.resource.gpu.discoveryScript {script}\n"
            )
        return properties

    def _start(
        self, daemon: str, options: Sequence[str | Path], log: Path
    ) -> subprocess.Popen[bytes]:
        program = spark_home() / "bin/spark-class"
        with log.open("xb") as output:
            return subprocess.Popen(
                [program, daemon, *options],
                env=self._environment(),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def _environment(self) -> Mapping[str, str]:
        return {
            "HOME": str(self._folder / "home"),
            "JAVA_HOME": str(self._java_home),
            "PATH": os.defpath,
            "SPARK_DAEMON_JAVA_OPTS": FAST_JAVA,
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_HOME": str(spark_home()),
            "SPARK_LOCAL_DIRS": str(self._folder / "local"),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false",  # it has a fixed port
            "SPARK_PUBLIC_DNS": "127.0.0.1",
            f"{marked.VARIABLE}_CLUSTER": self._mark,
        }

    def _is_free(self) -> bool:
        status = self.status()
        free = not status["coresused"] and not status["activeapps"]
        return bool(free and status["aliveworkers"] == self._count)


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return "\n".join([f"--- {log.name}", *lines[-30:]])
