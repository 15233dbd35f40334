"""Packs the user's function for other processes.

Functions of the script or notebook, lambdas and closures travel by value, and so do modules that
lie beside the script, because other hosts do not have them; installed packages are imported there.
"""

import functools
import os
import pickle
import reprlib
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType, NoneType
from typing import Any

from hops.experiment import record
from hops.experiment.errors import PicklingError
from hops.experiment.wire import MESSAGE_BYTES

_PLAIN = {bool, int, float, str, NoneType}
_REGISTRY = threading.Lock()
"""That of modules by value belongs to the whole process, where several runs may pack at a time."""

_HINT = "engine='inline' runs in this process."


def pack(function: Callable[..., Any]) -> bytes:
    """Return *function* as bytes that unpickle to it in another process.

    A module beside the script with something in it that cannot travel (a lock, an open file) is
    imported by the other process instead.

    Raises:
        PicklingError: The function refers to something that cannot travel; the message names it.
    """
    try:
        return _dumps(function)
    except Exception as error:
        raise _explained(function, error) from error


def _dumps(value: Any) -> bytes:  # noqa: ANN401 - any value
    import cloudpickle

    data: bytes
    try:
        with _REGISTRY, _modules_by_value():
            data = cloudpickle.dumps(value)
    except Exception:  # noqa: BLE001 - any object's own refusal; the next attempt's is reported
        data = cloudpickle.dumps(value)
    return data


@contextmanager
def _modules_by_value() -> Iterator[None]:
    from cloudpickle import (
        list_registry_pickle_by_value,
        register_pickle_by_value,
        unregister_pickle_by_value,
    )

    known = list_registry_pickle_by_value()
    with ExitStack() as stack:
        for module in modules_beside_script():
            if module.__name__ not in known:
                register_pickle_by_value(module)
                stack.callback(unregister_pickle_by_value, module)
        yield


def modules_beside_script() -> list[ModuleType]:
    """Return the imported modules whose files lie in the script's directory, or below it."""
    home = _home()
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        # A module may have more names than its own; the main one is by value anyway.
        is_itself = name == getattr(module, "__name__", None) and name != "__main__"
        if file and is_itself and name.partition(".")[0] != "hops" and _is_beside(file, home):
            found.append(module)
    return found


def _home() -> Path:
    """Return the directory of the program; of a notebook, or below a tool, the current one."""
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    if main is None or Path(main).resolve().is_relative_to(Path(sys.prefix).resolve()):
        return Path.cwd()
    return Path(main).resolve().parent


def _is_beside(file: str, home: Path) -> bool:
    path = os.path.realpath(file)
    if not path.startswith(f"{home}{os.sep}"):
        return False
    parts = Path(path).parts
    installed = "site-packages" in parts or "dist-packages" in parts
    standard = Path(os.__file__).resolve().parent
    return not installed and not path.startswith(f"{standard}{os.sep}")


def _explained(function: Callable[..., Any], error: Exception) -> PicklingError:
    name = getattr(function, "__qualname__", None) or type(function).__name__
    culprit = _culprit(function)
    what = f"{culprit} cannot travel" if culprit else "it cannot travel"
    message = f"{name!r} cannot be sent to another process, because {what}: {error}"
    hint = f"Make it inside the function, or pass what it is made from. {_HINT}"
    return PicklingError(message, hint=hint)


def _culprit(function: Callable[..., Any], seen: tuple[object, ...] = ()) -> str | None:
    """Name the variable of *function* that cannot be pickled, with its type.

    Functions in *seen*, which refer to *function*, are no answer.
    """
    seen = (*seen, function)
    for name, value in _references(function):
        if not any(value is one for one in seen) and not _can_travel(value):
            inner = _culprit(value, seen) if callable(value) else None
            return inner or f"the variable {name!r} (a {type(value).__name__})"
    return None


def _references(function: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any callable
    from inspect import getclosurevars, isfunction

    if isinstance(function, functools.partial):
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
        yield from getattr(function, "__dict__", {}).items()


def check_values_travel(space: Mapping[str, Sequence[Any]]) -> None:
    """Refuse values that cannot be sent to a trial.

    Args:
        space: Names of arguments, each with its values.

    Raises:
        PicklingError: One cannot travel, or those of one trial are too large for a message.
    """
    size_bytes = sum(
        max(_size_bytes(name, value) for value in values) for name, values in space.items()
    )
    if size_bytes > MESSAGE_BYTES - 64 * 1024:  # what else is in the message
        message = f"The values of one trial take {size_bytes} bytes, more than {MESSAGE_BYTES}."
        hint = f"Keep large values in files, and pass their absolute paths. {_HINT}"
        raise PicklingError(message, hint=hint)


def _size_bytes(name: str, value: Any) -> int:  # noqa: ANN401 - any value
    try:
        return len(pack_parameters({name: value})) + len(record.dumps(record.plain(value)))
    except Exception as error:
        shown = f"The value {reprlib.repr(value)} of {name!r} (a {type(value).__name__})"
        message = f"{shown} cannot be sent to another process: {error}"
        raise PicklingError(message, hint=f"Pass what it is made from. {_HINT}") from error


def pack_parameters(parameters: dict[str, Any] | None) -> bytes:
    """Return the arguments of one trial as bytes that unpickle to them in another process.

    Nothing for a function that is called without arguments.
    """
    if parameters is None:
        return b""
    if all(type(value) in _PLAIN for value in parameters.values()):
        return pickle.dumps(parameters)
    return _dumps(parameters)


def _can_travel(value: Any) -> bool:  # noqa: ANN401 - any value
    import cloudpickle

    try:
        cloudpickle.dumps(value)
    except Exception:  # noqa: BLE001 - any object's own refusal is the answer
        return False
    return True
