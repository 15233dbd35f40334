"""What the driver asks of an engine: agents that come to its address."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from hops.experiment import wire

if TYPE_CHECKING:
    import socket

    from hops.experiment.driver.service import Service


class Invitation(NamedTuple):
    """What an agent needs to find the driver, and to prove that it belongs to the run."""

    address: tuple[str, int]
    token: bytes
    certificate: str | None = None
    """The driver's certificate for this run, as PEM; `None` on the loopback interface."""


class Door(NamedTuple):
    """Where agents come to: open before the driver is ready to answer."""

    listener: "socket.socket"
    invitation: Invitation

    def close(self) -> None:
        """Take no more agents."""
        self.listener.close()


def open_door(host: str) -> Door:
    """Listen on *host*, and make an invitation with a fresh token."""
    listener = wire.listen(host)
    return Door(listener, Invitation(listener.getsockname()[:2], os.urandom(32)))


class Departure(NamedTuple):
    """An agent that has ended."""

    agent: str
    reason: str
    """How, with what it wrote last; one line or more."""


class Engine(Protocol):
    """Starts agents, and says which have ended."""

    name: str
    """As the user names it."""
    host: str
    """Address for the driver to listen on, which agents can reach."""
    agents: int
    """How many it starts."""

    def start(self, invitation: Invitation) -> None:
        """Start the agents. Returns at once; they wait for the driver to answer."""

    def serve(self, service: "Service", function: Callable[..., Any]) -> None:
        """Learn that the driver answers now. An engine without processes runs trials from here."""

    def poll(self) -> list[Departure]:
        """Return the agents that have ended since the last call, each replaced by a new one."""

    def close(self) -> None:
        """End all agents, and wait until they have ended."""
