"""The agent's end of the channel: one request, one answer; a lost connection may come back."""

import socket
import time
from typing import Any

from hops.experiment import wire
from hops.experiment.versions import versions

RECONNECT_S = 2.0
"""How long a lost connection may take to come back."""

SILENCE_S = 30.0
"""How long the driver may be silent: it is paused, or the network is slow."""


class Link:
    """A connection to the driver."""

    def __init__(
        self, address: tuple[str, int], token: bytes, agent: str, *, certificate: str | None = None
    ) -> None:
        """Prepare to connect as *agent*.

        Args:
            address: Of the driver.
            token: The secret of the run.
            agent: Its name, which no other agent of the run has.
            certificate: The driver's, as PEM; `None` connects without TLS.
        """
        self._address = address
        self._token = token
        self._tls = None if certificate is None else wire.trusting(certificate)
        self._hello = {**versions(), "agent": agent, "host": socket.gethostname()}
        self._connection: wire.Connection
        self._asked_at: float | None = None

    def connect(self) -> dict[str, Any]:
        """Connect, and return the driver's welcome.

        Raises:
            OSError: Nobody answers, or the driver refuses this agent.
        """
        return self._connect(wire.PATIENCE_S)

    def _connect(self, timeout_s: float) -> dict[str, Any]:
        self._connection, welcome = wire.connect(
            self._address, self._token, self._hello, tls=self._tls, timeout_s=timeout_s
        )
        self._asked_at = None
        return welcome

    def fileno(self) -> int:
        """Return the descriptor to wait on for an answer."""
        return self._connection.fileno()

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is still to come."""
        return self._asked_at is not None

    def request(self, message: dict[str, Any]) -> wire.Frame:
        """Ask, and wait for the answer."""
        if self.is_waiting:
            self.receive()  # of what was asked before
        self.ask(message)
        return self.receive()

    def ask(self, message: dict[str, Any]) -> None:
        """Ask without waiting: `receive` takes the answer."""
        self._connection.send(message)
        self._asked_at = time.monotonic()

    def receive(self) -> wire.Frame:
        """Wait for the answer."""
        answer = self._connection.receive(SILENCE_S)
        self._asked_at = None
        return answer

    def check(self) -> None:
        """Look how long the driver has been silent.

        Raises:
            Silent: For longer than `SILENCE_S`, although it was asked something.
        """
        if self._asked_at is not None and time.monotonic() - self._asked_at > SILENCE_S:
            message = "The driver has been silent for too long."
            raise wire.Silent(message)

    def resume(self, lease: dict[str, Any]) -> bool:
        """Come back after a lost connection, and ask whether the trial is still ours.

        Raises:
            Closed: The driver is gone.
        """
        self._connection.close()
        deadline = time.monotonic() + RECONNECT_S
        while True:
            try:
                self._connect(RECONNECT_S)
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    message = f"The driver is gone: {error}"
                    raise wire.Closed(message) from error
                time.sleep(0.1)
        question = {"type": "resume", "number": lease["number"], "attempt": lease["attempt"]}
        return bool(self.request(question).message["go_on"])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
