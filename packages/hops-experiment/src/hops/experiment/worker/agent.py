"""The agent: pulls trials from the driver, has each run in a child, and reports.

One agent runs one trial at a time. An engine starts it (`python -m hops.experiment.worker.agent`)
with an invitation on its standard input, a JSON object on one line: `address`, `token`, `agent`,
and `certificate`, which is `None` on the loopback interface; `parent` is the process that it must
not outlive, if there is one. It ends when the driver says so, or when the driver is gone.
"""

import json
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hops.experiment import record, wire
from hops.experiment.errors import ProtocolError
from hops.experiment.worker import UNFIT, UNREACHABLE
from hops.experiment.worker import child as _loaded_before_the_nursery_forks  # noqa: F401
from hops.experiment.worker.attempt import Attempt
from hops.experiment.worker.link import Link
from hops.experiment.worker.nursery import Child, Nursery
from hops.experiment.worker.processes import death_with_parent
from hops.experiment.worker.trial import Assignment
from hops.experiment.worker.watch import Watch

if TYPE_CHECKING:
    from hops.hdfs.store import Store


APPEARS_S = 5.0
"""How long a shared directory may take to show what another host has made in it."""


class Agent:
    """Pulls and runs trials until the driver has no more."""

    def __init__(self, link: Link, nursery: Nursery) -> None:
        """Take over a *link* that is connected, and a *nursery*."""
        self._link = link
        self._nursery = nursery
        self._child: Child | None = None
        self._run: dict[str, Any] = {}
        self._scratch: Path
        self._store: Store

    def work(self, run: dict[str, Any]) -> bool:
        """Run trials until the driver has none left; return whether this agent can.

        Args:
            run: What the driver has said when the link was connected.

        Raises:
            OSError: The driver is gone.
        """
        self._run = run
        problem = self._set_up()
        if problem:
            self._link.request({"type": "broken", "reason": problem})
            return False
        lease, parameters = self._link.request({"type": "next"})
        while lease["type"] != "done":
            if lease["type"] == "trial":
                lease, parameters = self._report(self._run_trial(lease, parameters))
            else:
                lease, parameters = self._link.request({"type": "next"})
        self._link.close()
        return True

    def _set_up(self) -> str | None:
        """Have the nursery prepare what all trials share, and fetch the function."""
        import tempfile

        from hops.hdfs.store import open_store

        self._store = open_store(self._run["store"])
        if not self._sees_the_run():
            return (
                f"The directory of the run, {self._run['directory']} in {self._run['store']}, is "
                f"not to be seen on {socket.gethostname()}.\n\nHint: set HOPS_PROJECT_DIR to a "
                "directory that the driver and all workers share."
            )
        self._scratch = Path(tempfile.mkdtemp(prefix="hops-"))
        problem = self._nursery.prepare(  # first: from here on it removes the directory
            path=self._run["path"],
            environ=self._run["environ"],
            preload=self._run["preload"],
            scratch=str(self._scratch),
        )
        with (self._scratch / "function.pkl").open("wb") as file:
            while chunk := self._link.request({"type": "function", "offset": file.tell()}).blob:
                file.write(chunk)
        return problem

    def _sees_the_run(self) -> bool:
        deadline = time.monotonic() + APPEARS_S
        while not self._store.is_dir(self._run["directory"]):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def _report(self, report: dict[str, Any]) -> wire.Frame:
        """Say how the trial ended, and get the next one."""
        try:
            return self._link.request({"type": "ended", **report})
        except ProtocolError:
            if self._link.resume(report):
                return self._link.request({"type": "ended", **report})
            return self._link.request({"type": "next"})

    def _run_trial(self, lease: dict[str, Any], parameters: bytes) -> dict[str, Any]:
        identity = {"number": lease["number"], "attempt": lease["attempt"]}
        try:
            attempt = Attempt(self._store, lease, self._scratch)
            report = self._watch(lease, attempt, parameters)
            attempt.finish(report)
            lines, skipped = attempt.output.waiting()
        except ProtocolError:
            raise
        except OSError as error:
            problem = f"{type(error).__name__}: the trial's directory cannot be written: {error}"
            return {**identity, **_failed(problem)}
        return {**identity, **report, "lines": lines, "skipped": skipped}

    def _watch(self, lease: dict[str, Any], attempt: Attempt, parameters: bytes) -> dict[str, Any]:
        child = self._child or self._nursery.start(fresh=self._run["isolation"] == "spawn")
        self._child = child if self._run["isolation"] == "worker" else None
        watch = Watch(self._link, self._nursery, child, lease, attempt.output)
        assignment = Assignment.of(self._run, lease, attempt.directory)
        order = {
            "function": str(self._scratch / "function.pkl"),
            "last": self._child is None,
            "assignment": assignment._asdict(),
        }
        with suppress(wire.Closed):  # it died at once: its exit says how
            child.control.send(order, parameters)
        report = watch.until_it_ends()
        if watch.child_ended or self._child is None:
            child.close()
            self._child = None
        return report


def _failed(problem: str) -> dict[str, Any]:
    return {
        "state": record.State.FAILED,
        "error": problem,
        "traceback": None,
        "seconds": 0.0,
        "lines": [],
        "skipped": 0,
    }


def main() -> None:
    """Work for the run that the invitation on standard input names."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's to handle
    nursery = Nursery()  # before the token is read: no trial has it in its memory
    invitation = json.loads(sys.stdin.buffer.readline())
    if "parent" in invitation:
        death_with_parent()(invitation["parent"])
    try:
        code = _work(invitation, nursery)
    except ProtocolError as error:  # the driver is gone
        sys.stderr.write(f"{error}\n")
        code = 1
    finally:
        nursery.close()
    os._exit(code)


def _work(invitation: dict[str, Any], nursery: Nursery) -> int:
    host, port = invitation["address"]
    link = Link(
        (host, port),
        bytes.fromhex(invitation["token"]),
        invitation["agent"],
        certificate=invitation["certificate"],
    )
    try:
        run = link.connect()
    except wire.Refused as error:
        sys.stderr.write(f"{error}\n")
        return UNFIT
    except ProtocolError:
        raise
    except OSError as error:
        sys.stderr.write(f"The driver at {host}:{port} cannot be reached: {error}\n")
        return UNREACHABLE
    return 0 if Agent(link, nursery).work(run) else UNFIT


if __name__ == "__main__":
    main()
