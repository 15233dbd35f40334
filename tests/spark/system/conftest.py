"""A Spark cluster whose executors are on another machine than the driver."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from machines import Machine, Pair, two_machines, why_not
from standalone import FAST_JAVA, spark_home
from submission import Submission
from waiting import until
from workshop import run


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Give the machine of the driver, `head`, and that of the executors, `node`."""
    reason = why_not()
    if reason and os.environ.get("HOPS_TESTS_NEED_MACHINES"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    with two_machines(tmp_path_factory.mktemp("machines")) as pair:
        yield pair


@pytest.fixture(scope="session")
def master(machines: Pair, java_home: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of a master on `head`, with a worker of two cores on `node`."""
    folder = tmp_path_factory.mktemp("cluster")
    environment = {
        "HOME": str(folder),
        "JAVA_HOME": str(java_home),
        "PATH": os.defpath,
        "SPARK_DAEMON_JAVA_OPTS": FAST_JAVA,
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_HOME": str(spark_home()),
        "SPARK_LOCAL_DIRS": str(folder / "local"),
    }

    def start(daemon: str, machine: Machine, *options: str, until_it_says: str) -> None:
        log = folder / f"{machine.name}.log"
        program = [str(spark_home() / "bin/spark-class"), f"org.apache.spark.deploy.{daemon}"]
        place = ["--host", machine.name, "--webui-port", "0"]
        machine.start([*program, *place, *options], environment=environment, log=log)
        until(lambda: until_it_says in log.read_text(), said=log.read_text)

    url = f"spark://{machines.head.name}:7077"
    listen = ["--port", "7077"]
    start("master.Master", machines.head, *listen, until_it_says=f"Starting Spark master at {url}")
    offer = ["--cores", "2", "--memory", "1g", "--work-dir", str(folder)]
    start("worker.Worker", machines.node, *offer, url, until_it_says="Successfully registered")
    return url


@pytest.fixture
def submit_on_head(
    machines: Pair, master: str, submit: Callable[..., Submission], tmp_path: Path
) -> Callable[..., Submission]:
    """Give what starts a user's program on `head`; it takes the arguments of `Submission`.

    The driver listens on the IPv4 address of `head`, where *conf* says nothing else.
    """
    address = machines.head.address()
    place = {"spark.driver.host": address, "spark.driver.bindAddress": address}

    def start(program: str, *, conf: Mapping[str, str] | None = None, **options: Any) -> Submission:  # noqa: ANN401 - those of a submission
        file = tmp_path / "train.py"
        file.write_text(program)
        command = machines.head.command("env", f"--chdir={tmp_path}", sys.executable, file)
        return submit(
            f"import os\nos.execvp({command[0]!r}, {command!r})\n",
            master=master,
            conf={**place, **(conf or {})},
            variables={"SPARK_LOCAL_IP": address},
            **options,
        )

    return start


@pytest.fixture(scope="session")
def other_python(machines: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a Python for `node`, in a Debian of its own, whose minor version is not ours."""
    folder = tmp_path_factory.mktemp("debian")
    debian = folder / "root"
    suite = "bookworm" if sys.version_info[:2] == (3, 13) else "trixie"
    packages = "--include=base-files,python3"
    run(["mmdebstrap", "--quiet", "--variant=extract", packages, suite, debian], cwd=folder)
    program = folder / "python3"
    program.write_text(f'#!/bin/sh\nexec {shutil.which("chroot")} {debian} python3 "$@"\n')
    program.chmod(0o755)
    inside = debian / spark_home().relative_to("/")
    inside.mkdir(parents=True)
    machines.node.run("mount", "--bind", spark_home(), inside)
    yield program
    machines.node.run("umount", "--lazy", inside)
    shutil.rmtree(debian)
