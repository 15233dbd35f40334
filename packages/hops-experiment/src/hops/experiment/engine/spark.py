"""Agents as Spark jobs of one task each, submitted by a thread each, in one job group.

Not one job with a task for each agent: where `spark.task.maxFailures` is 1, as Hopsworks presets
it, that job would end with the first executor that is lost. Not in barrier mode: Spark refuses it
under dynamic allocation.
"""

import functools
import math
import os
import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from hops.core import HopsError, SettingsError
from hops.core.spark import count_slots, get_session, is_local
from hops.experiment.driver.agents import Departure, Invitation, how_it_ended, workers
from hops.experiment.engine import executor, process
from hops.experiment.engine.spark_failure import Failure
from hops.experiment.errors import AgentError, RunCancelledError
from hops.experiment.versions import installed_version
from hops.experiment.worker import UNFIT, UNREACHABLE

if TYPE_CHECKING:
    from hops.experiment.driver.service import Service
    from hops.experiment.settings import Settings

END_S = 5.0
"""How long the agents may take to end by themselves when the run is over, and then by Spark."""

PENDING_S = 0.3
"""How long Spark may take to notice that a job without a running task has ended."""

LOOK_S = 1.0
"""How often Spark is asked for its task slots, which come and go with its executors; so long an
agent that has ended waits for one in its place, too."""

UNFIT_S = 30.0
"""How long no other agent takes the place of one whose host cannot run trials."""

MAX_AGENTS = 500
"""Each is a thread here, and one in the JVM."""

WAITING_S = 15.0
"""After how long the user is told that no agent has come yet."""


class SparkEngine:
    """One agent per task slot, as far as there are trials for them.

    While the run goes on, all calls of the JVM are made in threads of the engine's own: an
    interrupt in the middle of one would break the connection to it.
    """

    name = "spark"
    shares_path = False

    def __init__(self, settings: "Settings", trials: int | None) -> None:
        """Find the Spark session, or make one.

        Raises:
            MissingDependencyError: pyspark or Java is not installed.
            SettingsError: The session is one of Spark Connect, which cannot start agents; or
                pyspark is told not to give each thread its own in the JVM.
        """
        _check_threads()
        self._context = get_session().sparkContext
        self._asked, self._trials = settings.workers, trials
        conf = self._context.getConf()
        address = conf.get("spark.driver.host").strip("[]")  # as Spark writes one of IPv6
        self.known_as = None if is_local(self._context) else address
        bind = conf.get("spark.driver.bindAddress", address).strip("[]")
        self.host = "127.0.0.1" if self.known_as is None else bind
        self.application = self._context.applicationId
        address = self._context.uiWebUrl
        self._ui = f", Spark UI {address}" if address else ""
        self._speculates = conf.get("spark.speculation", "false").lower() == "true"
        self._group = f"hops-{os.urandom(4).hex()}"
        self._ended: queue.SimpleQueue[Departure | HopsError] = queue.SimpleQueue()
        self._supervisor: threading.Thread | None = None
        self._jobs: dict[str, threading.Thread] = {}
        self._unfit_until: list[float] = []
        self._closing = threading.Event()
        self._invitation: Invitation
        self._service: Service | None = None
        self._submitted = 0
        self._alone_until = time.monotonic() + WAITING_S
        self._slots = count_slots(self._context)
        self._told = 0 if self._slots == 0 else self._wanted()

    @property
    def headline(self) -> str:
        """What runs where."""
        if self._slots == 0:
            return f"spark engine (no executor yet{self._ui})"
        count = workers(self._wanted())
        if self.known_as is not None:
            count = f"up to {count}"  # executors come and go
        wished = min(self._asked or 0, self._trials or MAX_AGENTS)
        if self._slots is not None and self._slots < wished:
            count += f" of the {self._asked} asked for, because Spark has no more slots"
        return f"spark engine ({count}{self._ui})"

    def start(self, invitation: Invitation) -> None:
        """Have a job submitted for each agent."""
        from pyspark import InheritableThread, cloudpickle

        for module in (executor, process):
            cloudpickle.register_pickle_by_value(module)
        self._invitation = invitation
        supervisor = InheritableThread(target=self._supervise)
        supervisor.name, supervisor.daemon = "hops-spark", True
        supervisor.start()
        self._supervisor = supervisor

    def serve(self, service: "Service", function: Callable[..., Any]) -> None:  # noqa: ARG002 - of every engine
        """Remember whom the agents ask."""
        self._service = service

    def poll(self) -> list[Departure]:
        """Return the agents that have ended; others take their places soon."""
        departures = []
        alive = self._supervisor is not None and self._supervisor.is_alive()
        while not self._ended.empty():
            ended = self._ended.get()
            if not isinstance(ended, Departure):
                raise ended
            departures.append(ended)
        if not alive:
            raise _spark_ended()
        return departures

    def news(self) -> Iterable[str]:
        """Return how many agents there are when they are more, and that none comes."""
        wanted = self._wanted()
        if self._slots != 0 and wanted > self._told:
            self._told = wanted
            yield f"Spark has slots for up to {workers(wanted)} now."
        if time.monotonic() > self._alone_until:
            self._alone_until = math.inf
            if self._service is not None and not self._service.coordinator.agents:
                seconds = f"{WAITING_S:.0f} s"
                yield f"No worker has come within {seconds}: has Spark a free executor{self._ui}?"

    def close(self) -> None:
        """Let the agents end, then cancel what is left, such as jobs that never got a slot."""
        self._closing.set()
        if self._supervisor is not None:
            self._supervisor.join(END_S)
        if self._is_stopped():
            return
        try:
            _wait_while(lambda: any(self._active_tasks()), END_S)
        finally:
            _wait_while(self._active_tasks, PENDING_S)
            _wait_while(self._cancel_rest, END_S)

    def _wanted(self) -> int:
        """Return how many agents there should be."""
        left = self._service.coordinator.left if self._service is not None else None
        bounds = (self._asked, self._trials, self._slots, left, MAX_AGENTS)
        return max(1, min(bound for bound in bounds if bound is not None))

    def _supervise(self) -> None:
        """Submit jobs, as many as there are slots; in a thread of its own."""
        try:
            self._fill()
            while not self._closing.wait(LOOK_S):
                if self._is_stopped():
                    return
                self._slots = count_slots(self._context)
                self._fill()
        except Exception as error:  # noqa: BLE001 - of any kind: the run ends with it
            if not self._is_stopped():
                message = f"Spark cannot be asked any more: {error}"
                self._ended.put(AgentError(message))

    def _fill(self) -> None:
        from pyspark import InheritableThread

        now = time.monotonic()
        self._unfit_until = [until for until in self._unfit_until if until > now]
        for agent, job in list(self._jobs.items()):
            if not job.is_alive() and self._jobs.pop(agent, None) is job:
                self._ended.put(Departure(agent, "its job could not be submitted to Spark"))
        while len(self._jobs) + len(self._unfit_until) < self._wanted():
            agent = f"{self.name}-{self._submitted}"
            self._submitted += 1
            job = InheritableThread(target=self._look_after, args=(agent,))
            job.name, job.daemon = f"hops-{agent}", True
            self._jobs[agent] = job
            job.start()

    def _look_after(self, agent: str) -> None:
        """Have Spark run one agent, and note how it ended; in a thread of its own."""
        invitation = self._invitation.for_agent(agent)
        task = functools.partial(executor.look_after_agent, invitation, self._speculates)
        is_unfit = False
        ended: Departure | HopsError
        try:
            self._context.setJobGroup(self._group, _description(agent))
            rdd = self._context.parallelize([agent], 1).map(task)
            if self._closing.is_set():
                return
            [(host, code, said)] = rdd.collect()
        except Exception as error:  # noqa: BLE001 - whatever Spark's is, it belongs to this agent
            ended = self._failed(agent, Failure.of(error))
        else:
            ended = _departure(agent, host, code, said)
            is_unfit = code in {None, UNREACHABLE, UNFIT}
        if is_unfit or (isinstance(ended, Departure) and ended.is_final):
            self._unfit_until.append(time.monotonic() + UNFIT_S)
        self._jobs.pop(agent, None)
        self._ended.put(ended)

    def _failed(self, agent: str, failure: Failure) -> Departure | HopsError:
        if failure.is_cancellation:
            return RunCancelledError("Spark's jobs of this run were cancelled.")
        if self._is_stopped():
            return _spark_ended()
        return failure.departure(agent, failure.host or self._find_host(agent))

    def _find_host(self, agent: str) -> str | None:
        """Return where the agent's task ran last: some exceptions of Spark 4.2 do not say it."""
        try:
            store = self._context._jsc.sc().statusStore()  # noqa: SLF001 - as in hops.core.spark
            numbers = self._context.statusTracker().getJobIdsForGroup(self._group)
            for job in map(store.job, numbers):
                if job.description().get() == _description(agent):
                    attempts = store.taskList(job.stageIds().apply(0), 0, 100)
                    return str(attempts.apply(attempts.size() - 1).host())
        except Exception:  # noqa: BLE001 - of py4j: the JVM is gone, or has forgotten the job
            return None
        return None

    def _is_stopped(self) -> bool:
        jvm_context = self._context._jsc  # noqa: SLF001 - pyspark has no public way to ask
        try:
            return jvm_context is None or jvm_context.sc().isStopped()
        except Exception:  # noqa: BLE001 - of py4j, where the JVM is gone
            return True

    def _active_tasks(self) -> list[int]:
        """Return how many tasks run of each job that has not ended: none before it gets a slot."""
        tracker = self._context.statusTracker()
        jobs = map(tracker.getJobInfo, tracker.getJobIdsForGroup(self._group))
        running = [job.stageIds for job in jobs if job and job.status == "RUNNING"]
        infos = [[tracker.getStageInfo(stage) for stage in stages] for stages in running]
        return [sum(info.numActiveTasks for info in stages if info) for stages in infos]

    def _cancel_rest(self) -> bool:
        """Cancel the jobs that are left; return whether a thread still waits for one."""
        if self._active_tasks():
            self._context.cancelJobGroup(self._group)
        return any(job.is_alive() for job in list(self._jobs.values()))


def _spark_ended() -> AgentError:
    message = "Spark has ended during the run: its context was stopped, or its JVM died."
    return AgentError(message, hint="what has finished is kept; see what Spark has logged")


def _check_threads() -> None:
    """Refuse threads that share those of the JVM: the jobs of one would be in the group of all."""
    if os.environ.get("PYSPARK_PIN_THREAD", "true").lower() != "true":
        message = "PYSPARK_PIN_THREAD is 'false'; hops needs a thread of the JVM for each worker."
        raise SettingsError(message, hint="unset PYSPARK_PIN_THREAD")


def _wait_while(condition: Callable[[], object], timeout_s: float) -> bool:
    """Wait as long as *condition* holds; return whether it still does."""
    deadline = time.monotonic() + timeout_s
    while condition():
        if time.monotonic() > deadline:
            return True
        time.sleep(0.01)
    return False


def _description(agent: str) -> str:
    return f"hops: worker {agent}"


def _departure(agent: str, host: str, code: int | None, said: str) -> Departure:
    if code is None:
        release = f"hops-experiment=={installed_version('hops-experiment')}"
        hint = f"in the environment of the executors: pip install {release}"
    elif code == UNREACHABLE:
        hint = (
            "executors have to reach the ports of the driver's machine at the address in "
            "spark.driver.host"
        )
    else:
        return Departure(agent, f"On {host}: {how_it_ended(code, said)}")
    return Departure(agent, f"On {host}: {said}\n\nHint: {hint}", is_final=True)
