"""Packs the user's function for other processes.

Functions of the script or notebook, lambdas and closures travel by value, and so do modules that
lie beside the script, because other hosts do not have them; installed packages are imported there.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from hops.experiment.errors import PicklingError


def pack(function: Callable[..., Any]) -> bytes:
    """Return *function* as bytes that unpickle to it in another process.

    A module beside the script with something in it that cannot travel (a lock, an open file) is
    imported by the other process instead.

    Raises:
        PicklingError: The function refers to something that cannot travel; the message names it.
    """
    import cloudpickle

    try:
        with _modules_by_value():
            data: bytes = cloudpickle.dumps(function)
    except Exception:  # noqa: BLE001 - any object's own refusal; the next attempt's is reported
        try:
            data = cloudpickle.dumps(function)
        except Exception as error:
            raise _explained(function, error) from error
    return data


@contextmanager
def _modules_by_value() -> Iterator[None]:
    from cloudpickle import (
        list_registry_pickle_by_value,
        register_pickle_by_value,
        unregister_pickle_by_value,
    )

    known = list_registry_pickle_by_value()
    ours = [module for module in modules_beside_script() if module.__name__ not in known]
    for module in ours:
        register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in ours:
            unregister_pickle_by_value(module)


def modules_beside_script() -> list[ModuleType]:
    """Return the imported modules whose files lie in the script's directory, or below it."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    home = Path(main).resolve().parent if main else Path.cwd()
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and name not in ("__main__", "__mp_main__") and _is_beside(file, home):
            found.append(module)
    return found


def _is_beside(file: str, home: Path) -> bool:
    path = os.path.realpath(file)
    if not path.startswith(f"{home}{os.sep}"):
        return False
    parts = Path(path).parts
    own = str(Path(__file__).resolve().parents[3])  # where hops itself is, in a checkout
    installed = "site-packages" in parts or "dist-packages" in parts
    return not installed and not path.startswith((own, sys.base_prefix + os.sep))


def _explained(function: Callable[..., Any], error: Exception) -> PicklingError:
    name = getattr(function, "__qualname__", None) or type(function).__name__
    culprit = _culprit(function)
    what = f"{culprit} cannot travel" if culprit else "it cannot travel"
    message = f"{name!r} cannot be sent to another process, because {what}: {error}"
    hint = "Make it inside the function, or pass what it is made from."
    return PicklingError(message, hint=f"{hint} engine='inline' runs in this process.")


def _culprit(function: Callable[..., Any]) -> str | None:
    """Name the variable of *function* that cannot be pickled, with its type."""
    for name, value in _references(function):
        if not _can_travel(value):
            inner = _culprit(value) if callable(value) else None
            return inner or f"the variable {name!r} (a {type(value).__name__})"
    return None


def _references(function: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any callable
    from inspect import getclosurevars, isfunction

    if hasattr(function, "func"):  # functools.partial
        yield "func", function.func
        yield from ((f"argument {place}", value) for place, value in enumerate(function.args))
        yield from function.keywords.items()
    elif isfunction(function):
        variables = getclosurevars(function)
        yield from variables.nonlocals.items()
        yield from variables.globals.items()
        yield from (function.__kwdefaults__ or {}).items()
        yield from ((f"default {place}", v) for place, v in enumerate(function.__defaults__ or ()))
    elif hasattr(function, "__self__"):
        yield "self", function.__self__
    else:
        yield from vars(function).items()


def _can_travel(value: Any) -> bool:  # noqa: ANN401 - any value
    import cloudpickle

    try:
        cloudpickle.dumps(value)
    except Exception:  # noqa: BLE001 - any object's own refusal is the answer
        return False
    return True
