"""A driver that answers agents over real sockets, without the rest of a run."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from hops.experiment.driver.agents import open_door
from hops.experiment.driver.coordinator import Coordinator
from hops.experiment.driver.lease import Lease
from hops.experiment.driver.search.listed import ListedSearch
from hops.experiment.driver.server import Server
from hops.experiment.driver.service import Service
from hops.experiment.record import Outcome, State
from hops.experiment.worker.link import Link

PATIENCE_S = 20.0
WELCOME = {"run_id": "run", "isolation": "process"}
ENDED: dict[str, Any] = {
    "type": "ended",
    "state": "FINISHED",
    "error": None,
    "traceback": None,
    "seconds": 1.0,
    "lines": [],
    "skipped": 0,
}


class FakePublisher:
    """Accepts every report as it is."""

    def publish(self, lease: Lease, report: dict[str, Any]) -> Outcome:
        """Write nothing."""
        state = State(report["state"])
        return Outcome(trial=lease.trial, state=state, error=report["error"])


class FailingSearch:
    """A search with an error in it."""

    total = None

    def ask(self) -> dict[str, Any] | None:
        """Fail."""
        raise ZeroDivisionError

    def tell(self, parameters: dict[str, Any], metric: float | None) -> None:
        """Learn nothing."""


class Driver:
    """A driver that answers agents, without the rest of a run."""

    def __init__(self, *, across_hosts: bool = False) -> None:
        self.door = open_door("127.0.0.1", known_as="127.0.0.1" if across_hosts else None)
        parameters: list[dict[str, Any]] = [{"a": 1}, {"a": [2, {3}]}, {"a": 3}]
        self.coordinator = Coordinator(
            ListedSearch(parameters),
            FakePublisher(),  # type: ignore[arg-type] # all that is asked of it
            directory="Experiments/run",
        )
        self.service = Service(self.coordinator, WELCOME, b"0123456789")
        self.server = Server(self.door.listener, self.door.invitation.token, tls=self.door.tls)
        self.links: list[Link] = []

    def start(self) -> None:
        """Answer from now on."""
        self.server.start(self.service)

    def link(self, agent: str = "x", **changes: Any) -> Link:  # noqa: ANN401 - the arguments of a link
        """Return the end of an agent, which is not connected yet."""
        arguments: dict[str, Any] = {
            "address": self.door.invitation.address,
            "token": self.door.invitation.token,
            "certificate": self.door.invitation.certificate,
        }
        self.links.append(Link(agent=agent, **arguments | changes))
        return self.links[-1]

    def connected(self, agent: str = "x") -> Link:
        """Return the end of an agent that has been let in."""
        link = self.link(agent)
        assert link.connect() == WELCOME
        return link

    def stranger(self) -> socket.socket:
        """Return a connection that has said nothing yet."""
        sock = socket.create_connection(self.door.invitation.address, timeout=PATIENCE_S)
        sock.settimeout(PATIENCE_S)
        return sock

    def close(self) -> None:
        """End it."""
        self.coordinator.kill()
        for link in self.links:
            cut(link)
        self.server.close()


def cut(link: Link) -> None:
    """Break the connection of an agent, if it has one."""
    if hasattr(link, "_connection"):
        link._connection.close()  # noqa: SLF001 - as if the network did it


def until(condition: Callable[[], object]) -> None:
    """Wait for what another thread does."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.001)


def our_threads() -> list[str]:
    """Return the names of the driver's threads."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("hops-")]


def is_closed(sock: socket.socket) -> bool:
    """Wait for the other end to close the connection."""
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


@contextmanager
def several() -> Iterator[Callable[..., Driver]]:
    """Give what makes a driver that does not answer yet; nothing of any is left afterwards."""
    made: list[Driver] = []

    def make(**arguments: Any) -> Driver:  # noqa: ANN401 - those of a driver
        made.append(Driver(**arguments))
        return made[-1]

    yield make
    for driver in made:
        driver.close()
    until(lambda: not our_threads())
