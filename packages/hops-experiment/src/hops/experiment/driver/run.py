"""One run, from its directory to its result: the driver's main loop."""

import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hops.core import environment
from hops.experiment import record
from hops.experiment.driver.agents import Door, Engine
from hops.experiment.driver.choice import best_of, metric_of_run
from hops.experiment.driver.coordinator import Coordinator
from hops.experiment.driver.packing import check_values_travel, pack
from hops.experiment.driver.plan import Plan
from hops.experiment.driver.publisher import Publisher
from hops.experiment.driver.runfile import RunFiles
from hops.experiment.driver.server import Server
from hops.experiment.driver.service import Service
from hops.experiment.driver.view.observer import Observer
from hops.experiment.errors import AgentError
from hops.experiment.record import Outcome, State
from hops.hdfs.store import current_store
from hops.project import current

if TYPE_CHECKING:
    from hops.hdfs.store import Store
    from hops.project import Project

POLL_S = 0.05
"""How often the driver looks after its agents and shows what has happened."""

FRUITLESS_DEPARTURES = 5
"""How many agents may end one after the other that have not even asked for a trial."""


class Finished(NamedTuple):
    """What is left of a run when it is over."""

    directory: str
    """Where it is kept, as the user gives it to other functions."""
    outcomes: list[Outcome]
    """The trials, in order."""


def execute(plan: Plan, engine: Engine, door: Door) -> Finished:
    """Run *plan* on the agents of *engine*, which have been started and wait at the *door*.

    Raises:
        PicklingError: The function or a value cannot travel to another process.
        AgentError: No agent could run trials.
        OSError: The project cannot be written.
        KeyboardInterrupt: The user interrupted the run; what had finished is kept.
    """
    project, store = current(), current_store()
    # Before the run has a directory: what fails here leaves nothing behind.
    function = b""
    if engine.name != "inline":
        function = pack(plan.function)
        check_values_travel(plan.space or {})
    files = RunFiles(store, project, plan, engine.name)
    server = Server(door.listener, door.invitation.token)
    try:
        run = _Run(plan, engine, server, files, store)
        with _orderly_termination(engine):
            return run.execute(function, _welcome(plan, project, store, files))
    finally:
        server.close()


@contextmanager
def _orderly_termination(engine: Engine) -> Iterator[None]:
    """Let SIGTERM end the program as `sys.exit` does, so that the run's record says how it ended.

    A handler of the user's stays; a thread other than the main one cannot set any; and inline, the
    exception would be raised in the function, and be taken for its own.
    """
    can_set = threading.current_thread() is threading.main_thread() and engine.name != "inline"
    if not can_set or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _welcome(plan: Plan, project: "Project", store: "Store", files: RunFiles) -> dict[str, Any]:
    """Return what every agent is told of the run."""
    here = _here()
    return {
        "run_id": files.run_id,
        "store": store.url,
        "isolation": plan.settings.isolation,
        "preload": plan.settings.preload,
        "path": [str(Path(here, entry)) for entry in sys.path],
        "environ": {
            **project.environment(),
            environment.ML_ID: files.run_id,
            environment.EXEC_LOGFILE: f"{files.directory}/{record.USER_LOG_FILE}",
            "MPLBACKEND": "Agg",  # a trial has no display
        },
        "metric_key": plan.optimised_key,
        "local_logdir": plan.local_logdir,
        "taken": files.resources,
        "caller_directory": here,
    }


def _here() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError:  # somebody has removed it; the program goes on
        return os.sep


class _Run:
    """The main loop: events to the observer, an eye on the agents."""

    def __init__(
        self, plan: Plan, engine: Engine, server: Server, files: RunFiles, store: "Store"
    ) -> None:
        self._plan = plan
        self._engine = engine
        self._server = server
        self._files = files
        self._place = str(store.local_path(files.directory) or files.directory)
        publisher = Publisher(store, plan.optimised_key)
        self._coordinator = Coordinator(plan.search, publisher, directory=files.directory)
        self._observer = Observer(plan, store, files.directory)
        self._service: Service
        self._fruitless = 0

    def execute(self, function: bytes, welcome: dict[str, Any]) -> Finished:
        project = current()
        self._service = Service(self._coordinator, welcome, function)
        many = "" if self._engine.agents == 1 else "s"
        engine = f"{self._engine.name} engine ({self._engine.agents} worker{many})"
        self._server.start(self._service)
        self._observer.start(f"hops: {project.platform}, {engine}, {self._place}")
        try:
            self._engine.serve(self._service, self._plan.function)
            interrupted = self._until_finished()
            state = State.KILLED if interrupted else self._state()
        except BaseException as error:
            state = State.KILLED if isinstance(error, SystemExit) else State.FAILED
            self._kill()
            raise
        finally:
            self._finish(state)
        if interrupted:
            raise KeyboardInterrupt
        return Finished(self._place, self._outcomes())

    def _until_finished(self) -> bool:
        """Run the loop; return whether the user interrupted it."""
        try:
            self._loop()
        except KeyboardInterrupt:
            self._coordinator.stop()
            self._observer.note("Stopping after the trials that run. Ctrl-C again ends them now.")
            try:
                self._loop()
            except KeyboardInterrupt:
                self._kill()
            return True
        return False

    def _kill(self) -> None:
        self._coordinator.kill()
        self._server.close()  # first, what has been accepted is published: it belongs to the result

    def _loop(self) -> None:
        while not self._coordinator.is_finished:
            self._look_after_agents()
            self._coordinator.expire()
            self._coordinator.wait(POLL_S)
            self._pass_on_events()
            self._observer.tick()

    def _look_after_agents(self) -> None:
        for departure in self._engine.poll():
            self._coordinator.lose(departure.agent, departure.reason)
            asked = self._coordinator.has_asked(departure.agent)
            self._fruitless = 0 if asked else self._fruitless + 1
            if self._fruitless == FRUITLESS_DEPARTURES:
                message = f"No worker could be started. The last one: {departure.reason}"
                raise AgentError(message)
        if self._server.failure is not None:
            raise self._server.failure
        problem = self._service.broken or next(iter(self._server.refusals), None)
        if problem:
            message = f"A worker cannot run trials. {problem}"
            raise AgentError(message)

    def _pass_on_events(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._observer.see(self._coordinator.events.get_nowait())

    def _outcomes(self) -> list[Outcome]:
        return sorted(self._coordinator.outcomes, key=lambda outcome: outcome.trial.number)

    def _state(self) -> State:
        finished = any(outcome.state is State.FINISHED for outcome in self._coordinator.outcomes)
        return State.FINISHED if finished else State.FAILED

    def _finish(self, state: State) -> None:
        self._pass_on_events()
        outcomes = self._outcomes()
        best = best_of(outcomes, self._plan.direction)
        metric = metric_of_run(self._plan, outcomes)
        try:
            self._files.finish(state, outcomes, best, metric)
        finally:
            self._observer.close(outcomes, self._place)
