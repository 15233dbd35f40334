"""Other machines, made of the kernel's namespaces, as far as programs can tell.

Each has a host name, a network and processes of its own, and what is mounted in it is seen nowhere
else. Its files are those of this machine. Only root can make one.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from workshop import run

NUMBERS = {"head": 1, "node": 2}
"""Names of machines, with the last part of their addresses."""

NETWORKS = {4: ("198.51.100.", 24), 6: ("2001:db8::", 64)}
"""Version of the Internet protocol to network; ranges that no real network has.

Source:
    RFC 5737 and RFC 3849, address blocks reserved for documentation.
"""

HAS_IPV6 = Path("/proc/net/if_inet6").exists()

_PACKAGES = {"ip": "iproute2", "nft": "nftables", "mmdebstrap": "mmdebstrap"}
_NAMESPACES = ["--net", "--uts", "--mount"]
_UNSHARE = ["unshare", *_NAMESPACES, "--pid", "--fork", "--kill-child", "--mount-proc"]


def why_not() -> str | None:
    """Say why there can be no other machines here, or what tests need on them is missing."""
    if os.geteuid() != 0:
        return "needs root, who alone can make machines of namespaces"
    missing = [package for program, package in _PACKAGES.items() if shutil.which(program) is None]
    if missing:
        return f"needs programs that are missing here: apt-get install {' '.join(missing)}"
    tried = subprocess.run([*_UNSHARE, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        return f"needs namespaces, which this machine lets nobody make: {tried.stderr.strip()}"
    return None


class Machine:
    """One machine; use it in a `with` statement.

    Its first process waits for the end of its input, so it ends at the latest with the tests, even
    if they are killed. The kernel then ends all processes of the machine, and takes its mounts and
    its network away.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._first: subprocess.Popen[bytes]
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        wait = ["sh", "-c", "echo ready; read -r _"]
        self._first = subprocess.Popen(
            [*_UNSHARE, *wait], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._first.stdout is not None
        assert self._first.stdout.readline() == b"ready\n"
        self.run("hostname", self.name)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._first:  # closes its input, and waits
            pass
        for process in self._started:
            process.wait()

    @property
    def pid(self) -> int:
        """A process that has the machine's network, as this machine numbers processes."""
        return self._first.pid

    def address(self, version: int = 4) -> str:
        """Return the address that the other machine knows it by."""
        return f"{NETWORKS[version][0]}{NUMBERS[self.name]}"

    def command(self, *arguments: str | Path) -> list[str]:
        """Return the command that runs the command *arguments* there, in the root directory."""
        inside = [f"--target={self.pid}", *_NAMESPACES]
        inside += [f"--pid=/proc/{self.pid}/ns/pid_for_children"]
        return ["nsenter", *inside, *map(str, arguments)]

    def run(self, *arguments: str | Path) -> str:
        """Return the output of a command that runs there; the test fails where it does."""
        return run(self.command(*arguments), cwd=Path("/"))

    def start(
        self, arguments: Sequence[str | Path], *, environment: Mapping[str, str], log: Path
    ) -> None:
        """Start a process that may run as long as the machine; *log* gets what it writes."""
        with log.open("xb") as output:
            process = subprocess.Popen(
                self.command(*arguments),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._started.append(process)


class Pair(NamedTuple):
    """Two machines with a cable between them, and no other network."""

    head: Machine
    node: Machine


@contextmanager
def two_machines(folder: Path) -> Iterator[Pair]:
    """Make two machines that reach each other by address, and by name over IPv4.

    Args:
        folder: An empty one.
    """
    with Machine("head") as head, Machine("node") as node:
        ends = [["name", "eth0", "netns", str(machine.pid)] for machine in (head, node)]
        run(["ip", "link", "add", *ends[0], "type", "veth", "peer", *ends[1]], cwd=folder)
        hosts = folder / "hosts"
        known = [f"{machine.address()} {machine.name}\n" for machine in (head, node)]
        hosts.write_text("".join(["127.0.0.1 localhost\n", *known]))
        for machine in (head, node):
            machine.run("mount", "--bind", hosts, "/etc/hosts")
            _set_up_network(machine)
        yield Pair(head, node)


def _set_up_network(machine: Machine) -> None:
    for version, (_, bits) in NETWORKS.items():
        if version == 4 or HAS_IPV6:
            address = f"{machine.address(version)}/{bits}"
            check = ["nodad"] if version == 6 else []  # whether another one has it takes a second
            machine.run("ip", "address", "add", address, "dev", "eth0", *check)
    for interface in ("lo", "eth0"):
        machine.run("ip", "link", "set", interface, "up")
