"""Executors on another machine: how a run works there, and what the user reads if it cannot."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import programs
from machines import HAS_IPV6, Pair
from standalone import FAST_JAVA
from submission import Submission

pytestmark = pytest.mark.timeout(600)  # JVMs, and environments

Submit = Callable[..., Submission]

LAUNCH = """
from hops import experiment

experiment.launch(lambda: 1, engine="spark", tensorboard=False)
"""

SEARCH = """
import pathlib, socket, time
from hops import experiment

go = pathlib.Path.cwd() / "go"

def train(a):
    print("begins on", socket.gethostname(), flush=True)
    while not go.exists():
        time.sleep(0.02)
    return a

found = experiment.grid_search(train, {"a": [1, 3, 2]}, engine="spark", tensorboard=False)
print("best", found.best_params, [trial.attempts for trial in found.trials])
"""

STRANGER = """
import socket, ssl, sys
from hops.experiment import wire
from hops.experiment.versions import versions

trusting = ssl.create_default_context()
trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
hello = {**versions(), "protocol": wire.PROTOCOL, "agent": "spark-0", "host": "node", "nonce": "0"}

for tls in (None, trusting):
    sock = socket.create_connection(sys.argv[1:3])
    connection = wire.Connection(tls.wrap_socket(sock) if tls else sock)
    connection.send(hello)
    try:
        print("told", *sorted(connection.receive(60).message))
        connection.send({"proof": "0" * 64})
        print("told", *sorted(connection.receive(60).message))
    except wire.ProtocolError as error:
        print("silence" if isinstance(error, wire.Silent) else "sent away")
"""

IPV6_JAVA = f"{FAST_JAVA} -Djava.net.preferIPv6Addresses=true"


def state(home: Path) -> str:
    """Return the state of the only run in the project of *home*."""
    [run] = programs.runs(home)
    return str(programs.read(run / ".experiment.json")["state"])


def conf_of(address: str) -> dict[str, str]:
    """Return what makes Spark's driver use an *address*."""
    if ":" not in address:
        return {"spark.driver.host": address, "spark.driver.bindAddress": address}
    java = dict.fromkeys(
        ["spark.driver.extraJavaOptions", "spark.executor.extraJavaOptions"], IPV6_JAVA
    )
    return {"spark.driver.host": f"[{address}]", "spark.driver.bindAddress": address, **java}


@pytest.mark.parametrize("version", [4, 6])
def test_a_run_over_the_network_keeps_strangers_out(
    machines: Pair, submit_on_head: Submit, executor_environment: Path, tmp_path: Path, version: int
) -> None:
    """Trials run there over TLS; who connects in plain text or without the token is sent away."""
    if version == 6 and not HAS_IPV6:
        pytest.skip("needs IPv6, which this kernel does not have")
    address = machines.head.address(version)
    program = submit_on_head(SEARCH, python=executor_environment, conf=conf_of(address))
    program.wait_for("begins on node$")
    listening = machines.head.run("ss", "-Hltnp")
    [port] = re.findall(rf"{re.escape(address)}\]?:(\d+) .*python", listening)
    script = tmp_path / "stranger.py"
    script.write_text(STRANGER)
    told = machines.node.run(executor_environment, script, address, port)
    (tmp_path / "go").touch()

    assert told.splitlines() == ["sent away", "told nonce proof", "sent away"]
    assert "best {'a': 3} [1, 1, 1]\n" in program.succeed()
    assert state(tmp_path) == "FINISHED"
    assert program.left_over() == []


@pytest.fixture
def ports_of_spark(machines: Pair) -> Iterator[dict[str, str]]:
    """Close all ports of `head` but Spark's own; return the properties that name those."""
    new = "tcp flags & (syn | ack) == syn tcp dport"
    rule = f"iifname eth0 {new} != {{ 7077, 7078, 7079 }} drop"
    chain = f"chain input {{ type filter hook input priority 0; {rule}; }};"
    machines.head.run("nft", f"table inet firewall {{ {chain} }}")
    yield {"spark.driver.port": "7078", "spark.driver.blockManager.port": "7079"}
    machines.head.run("nft", "delete table inet firewall")


def test_no_way_to_the_driver(
    machines: Pair,
    submit_on_head: Submit,
    ports_of_spark: dict[str, str],
    executor_environment: Path,
    tmp_path: Path,
) -> None:
    """The user reads from where which address cannot be reached, and what decides it."""
    program = submit_on_head(LAUNCH, python=executor_environment, conf=ports_of_spark)

    assert program.wait() == 1
    driver = rf"{re.escape(machines.head.address())}:\d+"
    assert re.search(rf"AgentError: .*On node: .*{driver} cannot be reached", program.output)
    assert re.search(r"^Hint: .*spark\.driver\.host", program.output, re.MULTILINE)
    assert state(tmp_path) == "FAILED"
    assert program.left_over() == []


def test_another_python(
    machines: Pair, submit_on_head: Submit, other_python: Path, tmp_path: Path
) -> None:
    """The user reads which Python is where, and which setting decides it."""
    program = submit_on_head(LAUNCH, python=other_python)

    assert program.wait() == 1
    ask = "import sys; print(*sys.version_info[:2], sep='.', end='')"
    there = machines.node.run(other_python, "-c", ask)
    here = ".".join(map(str, sys.version_info[:2]))
    told = f"has Python {there}; the driver has {here}."
    assert re.search(rf"AgentError: .*On node: .*{re.escape(told)}", program.output)
    assert re.search(r"^Hint: .*spark\.pyspark\.python", program.output, re.MULTILINE)
    assert state(tmp_path) == "FAILED"
    assert program.left_over() == []


def test_a_project_on_the_drivers_own_disk(
    machines: Pair, submit_on_head: Submit, executor_environment: Path, tmp_path: Path
) -> None:
    """The user reads which directory has to be shared; nothing is made where it is not."""
    machines.node.run("mount", "-t", "tmpfs", "empty", tmp_path)
    program = submit_on_head(LAUNCH, python=executor_environment)

    assert program.wait() == 1
    told = rf"AgentError: .*{re.escape(str(tmp_path))}/project.* not to be seen on node\."
    assert re.search(told, program.output)
    assert re.search("^Hint: .*HOPS_PROJECT_DIR", program.output, re.MULTILINE)
    assert machines.node.run("ls", "-A", tmp_path) == ""
    assert state(tmp_path) == "FAILED"
    assert program.left_over() == []
