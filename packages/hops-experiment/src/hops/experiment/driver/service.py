"""What the driver answers to an agent: the messages of the channel, without the channel.

::

    next                                          -> trial | wait | done
    ended  {number, attempt, state, error, ...}   -> trial | wait | done
    beat   {number, attempt, lines, skipped}      -> go_on
    resume {number, attempt}                      -> go_on
    function {offset}                             -> a part of the packed function, empty at its end
    broken {reason}                               -> done; the agent cannot run trials
"""

from typing import TYPE_CHECKING, Any

from hops.experiment import record, wire
from hops.experiment.driver.packing import pack_parameters
from hops.experiment.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hops.experiment.driver.coordinator import Coordinator
    from hops.experiment.driver.lease import Lease

WAIT_S = 10.0
"""How long an agent without work waits for an answer; shorter than it would take for silence."""

FUNCTION_PART_BYTES = 8 * 1024 * 1024

_DONE = wire.Frame({"type": "done"})


class Service:
    """Answers the agents of one run. Any thread may call it."""

    def __init__(
        self, coordinator: "Coordinator", welcome: dict[str, Any], function: bytes
    ) -> None:
        """Answer for *coordinator*.

        Args:
            coordinator: The run's queue.
            welcome: What every agent is told when it has proved itself.
            function: The packed function.
        """
        self.coordinator = coordinator
        self.welcome = welcome
        self._function = function
        self.broken: str | None = None
        """Why an agent could not run trials at all; `None` as long as all can."""
        self._unpublished: dict[str, tuple[Lease, dict[str, Any]]] = {}
        self._answers: dict[str, Callable[..., wire.Frame]] = {
            "next": self._on_next,
            "ended": self._on_ended,
            "beat": self._on_beat,
            "resume": self._on_resume,
            "function": self._on_function,
            "broken": self._on_broken,
        }

    def answer(self, agent: str, frame: wire.Frame) -> wire.Frame:
        """Answer one message of *agent*.

        Raises:
            ProtocolError: The message is none that an agent sends.
        """
        fields = dict(frame.message)
        kind = str(fields.pop("type", None))
        if kind not in self._answers:
            message = f"A message that no agent sends: {kind!r}."
            raise ProtocolError(message)
        answered: wire.Frame = self._answers[kind](agent, **fields)
        return answered

    def settle(self, agent: str) -> None:
        """Publish what *agent* has reported.

        To be called when the answer is sent, so that it works on its next trial meanwhile.
        """
        pending = self._unpublished.pop(agent, None)
        if pending is not None:
            self.coordinator.publish(*pending)

    def _on_next(self, agent: str) -> wire.Frame:
        lease = self.coordinator.next(agent, WAIT_S)
        if lease is None:
            return _DONE if self.coordinator.is_finished else wire.Frame({"type": "wait"})
        return _lent(lease)

    def _on_ended(
        self,
        agent: str,
        *,
        number: int,
        attempt: int,
        lines: list[str],
        skipped: int,
        **report: Any,  # noqa: ANN401 - the fields of a report
    ) -> wire.Frame:
        self.coordinator.beat(agent, number, attempt, lines, skipped)
        lease = self.coordinator.accept(agent, number, attempt, report)
        if lease is not None:
            self._unpublished[agent] = lease, report
        ahead = self.coordinator.next(agent, 0)
        if ahead is not None:
            return _lent(ahead)
        self.settle(agent)
        return self._on_next(agent)

    def _on_beat(
        self, agent: str, *, number: int, attempt: int, lines: list[str], skipped: int
    ) -> wire.Frame:
        go_on = self.coordinator.beat(agent, number, attempt, lines, skipped)
        return wire.Frame({"go_on": go_on})

    def _on_resume(self, agent: str, *, number: int, attempt: int) -> wire.Frame:
        return wire.Frame({"go_on": self.coordinator.resume(agent, number, attempt)})

    def _on_function(self, _agent: str, *, offset: int) -> wire.Frame:
        part = self._function[offset : offset + FUNCTION_PART_BYTES]
        return wire.Frame({"type": "function"}, part)

    def _on_broken(self, _agent: str, *, reason: str) -> wire.Frame:
        self.broken = reason
        return _DONE


def _lent(lease: "Lease") -> wire.Frame:
    return wire.Frame(described(lease), pack_parameters(lease.trial.parameters))


def described(lease: "Lease") -> dict[str, Any]:
    """Return what an agent is told of a trial that it is to run."""
    trial = lease.trial
    return {
        "type": "trial",
        "number": trial.number,
        "attempt": lease.attempt,
        "name": trial.name,
        "directory": lease.directory,
        "kept_as": trial.directory,
        "hparams": None if trial.parameters is None else record.plain(trial.parameters),
    }
