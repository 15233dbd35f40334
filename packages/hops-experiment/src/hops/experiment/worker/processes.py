"""What the nursery asks of the operating system: that nothing a trial starts outlives it."""

import os
import signal
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def set_group(pid: int) -> None:
    """Make process *pid*, 0 for this one, the leader of a group of its own."""
    # It may have ended already, or have begun another program.
    with suppress(ProcessLookupError, PermissionError):
        os.setpgid(pid, pid)


def kill_group(pid: int) -> None:
    """End the processes of the group that *pid* leads, or has led."""
    with suppress(ProcessLookupError, PermissionError):  # nobody is left
        os.killpg(pid, signal.SIGKILL)


def death_with_parent() -> Callable[[int], None]:
    """Return what a child calls to have the kernel end it when its parent is killed.

    Elsewhere than on Linux the agent, which watches the nursery, ends the child.

    Source:
        prctl(2), PR_SET_PDEATHSIG.
    """
    if sys.platform != "linux":
        return lambda _parent: None
    import ctypes

    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def die_with(parent: int) -> None:
        prctl(1, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)

    return die_with


def adopt_orphans() -> None:
    """Become the parent of all descendants whose own parent ends, where there is such a call.

    Source:
        prctl(2), PR_SET_CHILD_SUBREAPER.
    """
    if sys.platform == "linux":
        _prctl()(_PR_SET_CHILD_SUBREAPER, 1)


def end_orphans(children: Collection[int]) -> None:
    """End the processes that this one has adopted, which are all but its own *children*.

    Those of theirs are adopted then, and ended, too.
    """
    while orphans := _children_of_this() - set(children):
        for pid in orphans:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _children_of_this() -> set[int]:
    pid = os.getpid()
    try:
        return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except FileNotFoundError:  # another system, or a kernel without this file
        return set()


def _prctl() -> Callable[..., Any]:
    import ctypes  # once in the nursery, not in every child

    prctl: Callable[..., Any] = ctypes.CDLL(None, use_errno=True).prctl
    return prctl
