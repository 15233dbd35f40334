"""Agents as Spark jobs of one task each, submitted by a thread each, in one job group.

Not one job with a task for each agent: where `spark.task.maxFailures` is 1, as Hopsworks presets
it, that job would end with the first executor that is lost. Not in barrier mode: Spark refuses it
under dynamic allocation.
"""

import functools
import math
import os
import queue
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from hops.core.spark import count_slots, get_session, is_local
from hops.experiment.driver.agents import Departure, Invitation, how_it_ended, workers
from hops.experiment.engine import executor, process
from hops.experiment.engine.spark_failure import Failure
from hops.experiment.errors import AgentError, RunCancelledError
from hops.experiment.versions import installed_version
from hops.experiment.worker import UNREACHABLE

if TYPE_CHECKING:
    import threading

    from hops.experiment.driver.service import Service
    from hops.experiment.settings import Settings

END_S = 5.0
"""How long the agents may take to end by themselves when the run is over, and then by Spark."""

PENDING_S = 0.3
"""How long Spark may take to notice that a job without a running task has ended."""

COUNT_S = 1.0
"""How often Spark is asked for its task slots, which come and go with its executors."""

MOST = 500
"""How many agents there are at most, because each is a thread here and one in the JVM."""

WAITING_S = 15.0
"""After how long the user is told that no executor has come yet."""


class SparkEngine:
    """One agent per task slot, as far as there are trials for them."""

    name = "spark"
    shares_path = False

    def __init__(self, settings: "Settings", trials: int | None) -> None:
        """Find the Spark session, or make one.

        Raises:
            MissingDependencyError: pyspark or Java is not installed.
            SettingsError: The session is one of Spark Connect, which cannot start agents.
        """
        self._context = get_session().sparkContext
        self._asked, self._trials = settings.workers, trials
        conf = self._context.getConf()
        address = conf.get("spark.driver.host").strip("[]")  # as Spark writes one of IPv6
        self.known_as = None if is_local(self._context) else address
        bind = conf.get("spark.driver.bindAddress", address).strip("[]")
        self.host = "127.0.0.1" if self.known_as is None else bind
        self.application = self._context.applicationId
        self._group = f"hops-{os.urandom(4).hex()}"
        self._ended: queue.SimpleQueue[Departure | RunCancelledError] = queue.SimpleQueue()
        self._jobs: dict[str, threading.Thread] = {}
        self._invitation: Invitation
        self._service: Service | None = None
        self._submitted = 0
        self._counted = time.monotonic()
        self._alone_until = self._counted + WAITING_S
        self._wanted = self._told = self._count()

    @property
    def headline(self) -> str:
        """What runs where."""
        count = workers(self._wanted)
        if self.known_as is not None:
            count = f"up to {count}"  # executors come and go
        if self._asked and self._wanted < min(self._asked, self._trials or self._asked):
            count += f" of the {self._asked} asked for, because Spark has no more slots"
        return f"spark engine ({count}{self._ui})"

    @property
    def _ui(self) -> str:
        address = self._context.uiWebUrl
        return f", Spark UI {address}" if address else ""

    def start(self, invitation: Invitation) -> None:
        """Submit a job for each agent."""
        from pyspark import cloudpickle

        for module in (executor, process):
            cloudpickle.register_pickle_by_value(module)
        self._invitation = invitation
        self._fill()

    def serve(self, service: "Service", function: Callable[..., Any]) -> None:  # noqa: ARG002 - of every engine
        """Remember whom the agents ask."""
        self._service = service

    def poll(self) -> list[Departure]:
        """Return the agents that have ended, and submit as many new ones as there are slots."""
        departures = []
        while not self._ended.empty():
            ended = self._ended.get()
            if isinstance(ended, RunCancelledError):
                raise ended
            del self._jobs[ended.agent]
            departures.append(ended)
        if departures or time.monotonic() - self._counted > COUNT_S:
            if self._is_stopped():
                message = (
                    "Spark has ended during the run: its context was stopped, or its JVM died."
                )
                raise AgentError(
                    message, hint="what has finished is kept; see what Spark has logged"
                )
            self._wanted = max(self._wanted, self._count())
            self._counted = time.monotonic()
        self._fill()
        return departures

    def news(self) -> Iterable[str]:
        """Return how many agents there are when they are more, and that none comes."""
        if self._wanted > self._told:
            self._told = self._wanted
            yield f"Spark has more slots: up to {workers(self._wanted)} from now on."
        if time.monotonic() > self._alone_until:
            self._alone_until = math.inf
            if self._service is not None and not self._service.coordinator.agents:
                seconds = f"{WAITING_S:.0f} s"
                yield f"No worker has come within {seconds}: Spark has no free executor{self._ui}."

    def close(self) -> None:
        """Let the agents end, then cancel what is left, such as jobs that never got a slot."""
        if self._is_stopped():
            return
        _wait_while(lambda: any(self._active_tasks()), END_S)
        if _wait_while(self._active_tasks, PENDING_S):
            self._context.cancelJobGroup(self._group)
        _wait_while(lambda: any(job.is_alive() for job in self._jobs.values()), END_S)

    def _count(self) -> int:
        """Return how many agents there should be."""
        bounds = (self._asked, self._trials, count_slots(self._context))
        return max(1, min(bound for bound in (*bounds, MOST) if bound is not None))

    def _fill(self) -> None:
        from pyspark import InheritableThread

        while len(self._jobs) < self._wanted:
            agent = f"{self.name}-{self._submitted}"
            self._submitted += 1
            job = InheritableThread(target=self._look_after, args=(agent,))
            job.name, job.daemon = f"hops-{agent}", True
            self._jobs[agent] = job
            job.start()

    def _look_after(self, agent: str) -> None:
        """Have Spark run one agent, and note how it ended."""
        task = functools.partial(executor.look_after_agent, self._invitation.for_agent(agent))
        try:
            self._context.setJobGroup(self._group, _description(agent))
            [(host, code, said)] = self._context.parallelize([agent], 1).map(task).collect()
        except Exception as error:  # noqa: BLE001 - whatever Spark's is, it belongs to this agent
            failure = Failure.of(error)
            if failure.is_cancellation:
                self._ended.put(RunCancelledError("Spark's jobs of this run were cancelled."))
            else:
                self._ended.put(failure.departure(agent, self._find_host(agent)))
        else:
            self._ended.put(_departure(agent, host, code, said))

    def _find_host(self, agent: str) -> str | None:
        """Return where the agent's task ran last: some exceptions of Spark 4.2 do not say it."""
        try:
            store = self._context._jsc.sc().statusStore()  # noqa: SLF001 - as in hops.core.spark
            numbers = self._context.statusTracker().getJobIdsForGroup(self._group)
            for job in map(store.job, numbers):
                if job.description().get() == _description(agent):
                    tasks = store.taskList(job.stageIds().apply(0), 0, MOST)
                    return str(tasks.apply(tasks.size() - 1).host())
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
