"""One run, from its directory to its result: the driver's main loop."""

import os
import queue
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hops.core import environment
from hops.experiment import record
from hops.experiment.driver.agents import Departure, Door, Engine
from hops.experiment.driver.choice import best_of, metric_of_run
from hops.experiment.driver.coordinator import Coordinator
from hops.experiment.driver.packing import check_values_travel, pack
from hops.experiment.driver.plan import Plan
from hops.experiment.driver.publisher import Publisher
from hops.experiment.driver.runfile import RunFiles
from hops.experiment.driver.server import Server
from hops.experiment.driver.service import Service
from hops.experiment.driver.view.observer import Observer
from hops.experiment.errors import AgentError, RunCancelledError
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
        RunCancelledError: Somebody has cancelled the run where its agents are managed.
        OSError: The project cannot be written.
        KeyboardInterrupt: The user interrupted the run; what had finished is kept.
    """
    project, store = current(), current_store()
    # Before the run has a directory: what fails here leaves nothing behind.
    function = b""
    if engine.name != "inline":
        function = pack(plan.function)
        check_values_travel(plan.space or {})
    files = RunFiles(store, project, plan, engine)
    server = Server(door.listener, door.invitation.token, tls=door.tls)
    try:
        run = _Run(plan, engine, server, files, store)
        welcome = _welcome(plan, project, store, files, engine)
        return run.execute(function, welcome)
    finally:
        server.close()


def _welcome(
    plan: Plan, project: "Project", store: "Store", files: RunFiles, engine: Engine
) -> dict[str, Any]:
    """Return what every agent is told of the run."""
    here = _here()
    return {
        "run_id": files.run_id,
        "store": store.url,
        "directory": files.directory,
        "isolation": plan.settings.isolation,
        "preload": plan.settings.preload,
        # What an executor imports is its own environment's, also if it is on this machine.
        "path": [str(Path(here, entry)) for entry in sys.path] if engine.shares_path else [],
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
        self._coordinator = Coordinator(
            plan.search, publisher, directory=files.directory, at_once=plan.settings.workers
        )
        self._observer = Observer(plan, store, files.directory)
        self._service: Service
        self._fruitless = 0
        self._problems: set[str] = set()

    def execute(self, function: bytes, welcome: dict[str, Any]) -> Finished:
        project = current()
        self._service = Service(self._coordinator, welcome, function)
        self._server.start(self._service)
        self._observer.start(f"hops: {project.platform}, {self._engine.headline}, {self._place}")
        try:
            self._engine.serve(self._service, self._plan.function)
            interrupted = self._until_finished()
            state = State.KILLED if interrupted else self._state()
        except BaseException as error:
            was_ended = isinstance(error, SystemExit | KeyboardInterrupt | RunCancelledError)
            state = State.KILLED if was_ended else State.FAILED
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
            except (KeyboardInterrupt, AgentError):  # Ctrl-C may have ended Spark, too
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
            for line in self._engine.news():
                self._observer.note(line)
            self._observer.tick()

    def _look_after_agents(self) -> None:
        departures = self._engine.poll()
        if self._server.failure is not None:
            raise self._server.failure
        for problem in filter(None, [self._service.broken, *self._server.refusals]):
            self._cannot_run(problem)
        for departure in departures:
            self._coordinator.lose(departure.agent, departure.reason)
            if departure.is_final:
                self._cannot_run(departure.reason)
            self._count_fruitless(departure)

    def _count_fruitless(self, departure: Departure) -> None:
        if self._coordinator.has_asked(departure.agent):
            self._fruitless = 0
            return
        self._fruitless += 1
        if self._fruitless >= FRUITLESS_DEPARTURES and not self._coordinator.is_working:
            message = f"No worker could be started. The last one: {departure.reason}"
            raise _agent_error(message)

    def _cannot_run(self, problem: str) -> None:
        """End a run that has no agent but those that cannot run trials; else say it once."""
        message = f"A worker cannot run trials. {problem}"
        if not self._coordinator.agents:
            raise _agent_error(message)
        if problem not in self._problems:
            self._problems.add(problem)
            self._observer.note(message)

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


def _agent_error(text: str) -> AgentError:
    message, _, hint = text.partition("\n\nHint: ")
    return AgentError(message, hint=hint or None)
