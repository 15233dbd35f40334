"""What the driver asks of an engine: agents that come to its address."""

import functools
import os
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from hops.experiment import wire
from hops.experiment.errors import AgentError

if TYPE_CHECKING:
    import socket
    import ssl

    from hops.experiment.driver.service import Service


class Invitation(NamedTuple):
    """What an agent needs to find the driver, and to prove that it belongs to the run."""

    address: tuple[str, int]
    token: bytes
    certificate: str | None = None
    """The driver's certificate for this run, as PEM; `None` on the loopback interface."""

    def __repr__(self) -> str:
        """Say where, and not with which token."""
        return f"{type(self).__name__}(address={self.address!r})"

    def for_agent(self, agent: str) -> dict[str, Any]:
        """Return what the *agent* of this name is told, as JSON can hold it."""
        return {**self._asdict(), "token": self.token.hex(), "agent": agent}


class Door(NamedTuple):
    """Where agents come to: open before the driver is ready to answer."""

    listener: "socket.socket"
    invitation: Invitation
    tls: "ssl.SSLContext | None" = None
    """What the driver speaks with agents of other hosts; `None` on the loopback interface."""

    def close(self) -> None:
        """Take no more agents."""
        self.listener.close()


def open_door(host: str, *, known_as: str | None = None) -> Door:
    """Listen on *host*, and make an invitation with a fresh token.

    Args:
        host: An address of this machine.
        known_as: What agents on other hosts call it: they come over TLS, with a certificate that is
            made for this run. `None`: all agents are on this machine.

    Raises:
        AgentError: This machine does not have that address.
    """
    try:
        listener = wire.listen(host)
    except OSError as error:
        message = f"The driver cannot listen on {host!r}: {error}."
        hint = "spark.driver.bindAddress has to be an address of the driver's machine"
        raise AgentError(message, hint=hint) from error
    port, token = listener.getsockname()[1], os.urandom(32)
    if known_as is None:
        return Door(listener, Invitation((host, port), token))
    from hops.experiment.driver.certificate import throw_away_certificate

    try:
        context, certificate = throw_away_certificate()
    except BaseException:
        listener.close()
        raise
    return Door(listener, Invitation((known_as, port), token, certificate), context)


class Departure(NamedTuple):
    """An agent that has ended."""

    agent: str
    reason: str
    """How, with what it wrote last; one line or more."""
    is_final: bool = False
    """Whether another one in its place would end in the same way; if none works, the run ends."""


def how_it_ended(code: int, said: str) -> str:
    """Say how an agent's process has ended.

    Args:
        code: Its exit code, or minus the number of the signal that killed it.
        said: What it wrote to its standard error.
    """
    how = f"its process was killed by signal {-code}" if code < 0 else f"it ended with {code}"
    return f"{how}: {said.strip()}" if said.strip() else how


def workers(count: int) -> str:
    """Say how many workers there are."""
    return f"{count} worker{'' if count == 1 else 's'}"


@functools.cache
def local_application() -> str:
    """Return the id of this program where no engine gives it one, the same while it runs."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    return f"local-{stamp}-{os.urandom(2).hex()}"


class Engine(Protocol):
    """Starts agents, and says which have ended."""

    name: str
    """As the user names it."""
    host: str
    """Address for the driver to listen on."""
    known_as: str | None
    """What agents on other hosts call it; `None`: all are on this machine."""
    shares_path: bool
    """Whether agents import from where this program does."""
    application: str
    """Id of this program on the engine, which the ids of its runs begin with."""
    headline: str
    """What runs where, for the first line that a run shows."""

    def start(self, invitation: Invitation) -> None:
        """Start the agents. Returns at once; they wait for the driver to answer."""

    def serve(self, service: "Service", function: Callable[..., Any]) -> None:
        """Learn that the driver answers now. An engine without processes runs trials from here."""

    def poll(self) -> list[Departure]:
        """Return the agents that have ended since the last call; new ones take their places.

        Raises:
            AgentError: There can be no more.
            RunCancelledError: Somebody has cancelled the run where its agents are managed.
        """

    def news(self) -> Iterable[str]:
        """Return what the user should know of the agents, in lines, since the last call."""

    def close(self) -> None:
        """End all agents, and wait until they have ended."""
