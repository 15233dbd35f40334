"""Import one module in this fresh interpreter, and print as JSON what that loaded and changed.

Usage: python -I -B import_probe.py MODULE

Imports as little as possible itself: what is loaded already is not reported.
"""

import _thread
import _warnings
import atexit
import builtins
import importlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

# What the import system does by itself; another event with one of the prefixes is reported.
HARMLESS = {"os.listdir", "os.scandir", "import"}
SUSPICIOUS = (
    "ctypes.",
    "fcntl.",
    "os.",
    "shutil.",
    "signal.",
    "socket.",
    "subprocess.",
)


def user_of(frame: FrameType | None) -> str:
    """Return the module that called into `os`, looking through the mapping machinery."""
    while frame and frame.f_globals.get("__name__") in {"os", "collections.abc", __name__}:
        frame = frame.f_back
    return str(frame.f_globals.get("__name__")) if frame else ""


class Watch:
    """Notes what happens, while it is on."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []

    def audit(self, event: str, arguments: tuple[object, ...]) -> None:
        """Note files, sockets and processes; reading Python files is what an import is."""
        if not self.on or event in HARMLESS:
            return
        if event == "open":
            path, mode = arguments[:2]
            if not (str(path).endswith((".py", ".pyc")) and mode in {"r", "rb"}):
                self.seen.append(f"opens {path!r}, mode {mode!r}")
        elif event.startswith(SUSPICIOUS):
            self.seen.append(f"{event}{arguments!r}")

    def reading(self, name: object) -> None:
        """Note a variable that one of our modules reads; the standard library may."""
        user = user_of(sys._getframe())  # noqa: SLF001 - traceback and inspect would be loaded
        if self.on and user.startswith("hops"):
            self.seen.append(f"{user} reads the environment: {name!r}")

    def exit_hook(self, hook: Callable[..., object], *_: object, **__: object) -> object:
        """Stand in for `atexit.register`."""
        user = user_of(sys._getframe())  # noqa: SLF001 - traceback and inspect would be loaded
        if self.on and user.startswith("hops"):
            self.seen.append(f"{user} registers an exit hook: {hook!r}")
        return hook


WATCH = Watch()


class WatchedEnvironment(type(os.environ)):  # type: ignore[misc] # os._Environ has no public name
    """`os.environ`, with a note of each look at it."""

    def __getitem__(self, name: str) -> str:
        """Note, and look up."""
        WATCH.reading(name)
        return str(super().__getitem__(name))

    def __iter__(self) -> object:
        """Note, and list."""
        WATCH.reading("*")
        return super().__iter__()


def handler_of(number: int) -> object:
    """Return the signal's handler; some numbers have none."""
    try:
        return signal.getsignal(number)
    except ValueError:
        return None


def state() -> dict[str, object]:
    """Return what an import has to leave as it was."""
    return {
        "built-in names": sorted(vars(builtins)),
        "environment": sorted(os.environ.items()),
        "excepthook": sys.excepthook,
        "import hooks": (list(sys.meta_path), list(sys.path_hooks)),
        "open files": os.listdir("/dev/fd"),  # noqa: PTH208 - pathlib would be loaded
        "recursion limit": sys.getrecursionlimit(),
        "signal handlers": [handler_of(number) for number in range(1, signal.NSIG)],
        "standard streams": (sys.stdin, sys.stdout, sys.stderr),
        "sys.path": list(sys.path),
        "threads": _thread._count(),  # noqa: SLF001 - threading would be loaded
        "warning filters": list(_warnings.filters),
        "working directory": os.getcwd(),  # noqa: PTH109 - pathlib would be loaded
    }


def patched() -> list[str]:
    """Return what has been done to the two modules whose state everybody shares."""
    import logging
    import warnings

    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    found = [f"logging handler on {each}" for each in loggers if getattr(each, "handlers", None)]
    if logging.root.level != logging.WARNING:
        found.append("level of the root logger")
    shown = (warnings.showwarning, warnings.formatwarning)
    return found + [f"warnings.{each.__name__}" for each in shown if each.__module__ != "warnings"]


def main(module: str) -> None:
    """Print a JSON object: `loaded`, a list of modules; `changed`, a list of sentences."""
    os.environ.__class__ = WatchedEnvironment
    register, atexit.register = atexit.register, WATCH.exit_hook  # type: ignore[assignment]
    sys.addaudithook(WATCH.audit)
    modules, before = set(sys.modules), state()
    WATCH.on = True
    importlib.import_module(module)
    WATCH.on = False
    atexit.register = register
    after, loaded = state(), sorted(set(sys.modules) - modules)
    changed = [
        f"{name}: {before[name]!r} before, {after[name]!r} after"
        for name in before
        if before[name] != after[name]
    ]
    import json

    print(json.dumps({"loaded": loaded, "changed": WATCH.seen + changed + patched()}))


if __name__ == "__main__":
    main(sys.argv[1])
