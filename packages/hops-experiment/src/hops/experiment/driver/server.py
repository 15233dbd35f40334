"""The driver's end of the channel: one thread for each agent, none before it has proved itself."""

import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hops.experiment import wire
from hops.experiment.errors import ProtocolError
from hops.experiment.versions import versions

if TYPE_CHECKING:
    import ssl

    from hops.experiment.driver.service import Service

SILENCE_S = 30.0
"""How long an agent may be silent; it beats every second while it runs a trial."""

FAREWELL_S = 2.0
"""How long agents have at the end of a run to hear that it is over, and to go."""

STRANGERS = 32
"""Most peers that are let in before they have proved themselves; more wait outside."""

PAUSE_S = 0.1
"""Between two looks at whether the run is over, while nobody can be let in."""


class Server:
    """Serves the agents of one run."""

    def __init__(
        self, listener: socket.socket, token: bytes, *, tls: "ssl.SSLContext | None" = None
    ) -> None:
        """Prepare to serve.

        Args:
            listener: A listening socket, closed by `close`.
            token: The secret of the run.
            tls: With the certificate of the run; `None` for the loopback interface.
        """
        self._listener = listener
        self._token = token
        self._tls = tls
        self._service: Service
        self._strangers = threading.BoundedSemaphore(STRANGERS)
        self._closing = threading.Event()
        self._open: dict[wire.Connection, threading.Thread] = {}
        self._refusals: list[str] = []
        self.failure: Exception | None = None
        """What went wrong in answering an agent, for the run to raise; `None` if nothing did."""

    def start(self, service: "Service") -> None:
        """Answer with *service* from now on; who came earlier has been waiting."""
        self._service = service
        threading.Thread(target=self._accept, name="hops-accept", daemon=True).start()

    @property
    def refusals(self) -> list[str]:
        """Why agents were refused: other versions than ours."""
        return list(self._refusals)

    def close(self) -> None:
        """Take no more agents, let those that are there hear the end, and end all connections."""
        self._closing.set()
        with suppress(OSError):  # macOS does not shut down listeners; closing is enough there
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        self._join()
        for connection in list(self._open):
            connection.close()
        self._join()

    def _join(self) -> None:
        deadline = time.monotonic() + FAREWELL_S
        for thread in list(self._open.values()):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _accept(self) -> None:
        while not self._closing.is_set():
            if not self._strangers.acquire(timeout=PAUSE_S):
                continue
            try:
                sock, _ = self._listener.accept()
            except OSError:  # the run is over, or this process has too many files open at present
                self._strangers.release()
                self._closing.wait(PAUSE_S)
                continue
            threading.Thread(
                target=self._meet, args=(sock,), name="hops-agent", daemon=True
            ).start()

    def _meet(self, sock: socket.socket) -> None:
        connection = wire.Connection(sock)
        self._open[connection] = threading.current_thread()
        try:
            hello = None if self._closing.is_set() else self._admit(connection)
            if hello is not None:
                self._serve(connection, hello)
        except ProtocolError:
            pass  # it has ended, or is lost: the coordinator waits for it for a while
        except Exception as error:  # noqa: BLE001 - of any kind: the run ends with it
            self.failure = error
        finally:
            del self._open[connection]
            connection.close()

    def _admit(self, connection: wire.Connection) -> dict[str, Any] | None:
        """Return the hello of an agent; `None` if the peer is none."""
        try:
            connection.sock.settimeout(wire.HANDSHAKE_S)
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                secured = self._tls.wrap_socket(
                    connection.sock, server_side=True, do_handshake_on_connect=False
                )
                connection.sock = secured
                secured.do_handshake()
            return wire.admit(connection, self._token)
        except OSError:
            return None
        finally:
            self._strangers.release()

    def _serve(self, connection: wire.Connection, hello: dict[str, Any]) -> None:
        problem = _mismatch(hello)
        if problem:
            if problem not in self._refusals:
                self._refusals.append(problem)
            connection.send({"refused": problem})
            return
        agent = str(hello["agent"])
        self._service.coordinator.connected(agent)
        try:
            connection.send(self._service.welcome)
            while True:
                frame = connection.receive(SILENCE_S)
                try:
                    connection.send(*self._service.answer(agent, frame))
                finally:
                    self._service.settle(agent)
        finally:
            self._service.coordinator.disconnected(agent)


def _mismatch(hello: dict[str, Any]) -> str | None:
    ours = {**versions(), "protocol": wire.PROTOCOL}
    different = [name for name, version in ours.items() if hello.get(name) != version]
    if not different:
        return None
    there = ", ".join(f"{name} {hello.get(name)}" for name in different)
    here = ", ".join(f"{name} {ours[name]}" for name in different)
    install = f"hops-experiment=={ours['hops']} cloudpickle=={ours['cloudpickle']}"
    return (
        f"The worker on {hello.get('host')} has {there}; the driver has {here}.\n\n"
        f"Hint: on {hello.get('host')}, with Python {ours['python']}: pip install {install}"
    )
