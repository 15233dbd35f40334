"""The process of an agent: how it is started, and what it said when it has ended.

The Spark engine sends this module to executors by value. So it needs nothing but the standard
library, and works where hops is not installed, or another release of it.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import IO, Any, NamedTuple

SAID_BYTES = 2000
"""How much of what an agent wrote is told: the end of it."""


class AgentProcess(NamedTuple):
    """A running agent."""

    agent: str
    process: "subprocess.Popen[bytes]"
    errors: IO[bytes]
    started: float
    """By the clock that never goes back, in seconds."""

    def said(self) -> str:
        """Return what the agent has written to its standard error, and close the file of it."""
        size = self.errors.seek(0, os.SEEK_END)
        self.errors.seek(max(0, size - SAID_BYTES))
        said = self.errors.read().decode(errors="replace")
        self.errors.close()
        return said.strip()


def start_agent(invitation: dict[str, Any], environ: Mapping[str, str]) -> AgentProcess:
    """Start an agent, and tell it where to go.

    Args:
        invitation: An `Invitation` as JSON can hold it, with the `agent`'s name.
        environ: The agent's environment.
    """
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the agent has ended
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "hops.experiment.worker.agent"],
        stdin=subprocess.PIPE,
        stdout=errors,
        stderr=errors,
        env=environ,
        start_new_session=True,  # Ctrl-C in the terminal is the driver's to handle
    )
    if process.stdin is not None:
        try:  # standard input: no other process can read the token there
            process.stdin.write(json.dumps(invitation).encode() + b"\n")
            process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended already: its exit says how
    return AgentProcess(invitation["agent"], process, errors, time.monotonic())
