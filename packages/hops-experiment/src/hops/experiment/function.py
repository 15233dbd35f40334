"""The user's function: what it accepts, how it is packed, and how it is called."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hops.core import SettingsError

if TYPE_CHECKING:
    import inspect


def check_callable(function: object) -> Callable[..., Any]:
    """Return *function* if it can be called.

    Raises:
        SettingsError: It cannot, or it would not return its result.
    """
    if callable(function):
        _check_returns(function)
        return function
    message = f"The training function is {function!r}; expected something that can be called."
    hint = "Pass the function itself: launch(train), and not its result: launch(train())."
    raise SettingsError(message, hint=hint if function is None else None)


def _check_returns(function: Callable[..., Any]) -> None:
    import inspect

    forms = (function, getattr(function, "__call__", None))  # noqa: B004 - of an object, its method
    kinds = {
        "asynchronous": any(map(inspect.iscoroutinefunction, forms)),
        "a generator": any(map(inspect.isgeneratorfunction, forms)),
    }
    for kind, is_it in kinds.items():
        if is_it:
            message = f"{_name(function)} is {kind}; expected one that returns its result."
            hint = "Wrap it: lambda: asyncio.run(train())." if kind == "asynchronous" else None
            raise SettingsError(message, hint=hint)


def ordered_names(function: Callable[..., Any], names: Iterable[str]) -> list[str]:
    """Put *names* in the order of the function's arguments.

    Raises:
        SettingsError: The function does not take one of them, or needs one that is not there.
    """
    given = list(names)
    parameters = _parameters(function)
    if parameters is None:
        return given
    takes = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    _check_taken(function, [name for name in given if name not in takes and not takes_any], takes)
    needs = [
        p.name
        for p in parameters
        if p.name in takes and p.default is p.empty and p.name not in given
    ]
    if needs:
        message = f"{_name(function)} needs a value for {_listed(needs)}."
        raise SettingsError(message, hint="Add it to the values, or give the argument a default.")
    return [n for n in takes if n in given] + [n for n in given if n not in takes]


def call(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:  # noqa: ANN401 - the user's
    """Call *function* with *arguments* by name; by position where it takes them only so."""
    code = getattr(function, "__code__", None)
    if code is not None and not code.co_posonlyargcount and not hasattr(function, "__wrapped__"):
        return function(**arguments)  # the signature takes longer than many a function
    by_name = dict(arguments)
    only_by_position = [
        parameter
        for parameter in _parameters(function) or ()
        if parameter.kind is parameter.POSITIONAL_ONLY
    ]
    while only_by_position and only_by_position[-1].name not in by_name:
        only_by_position.pop()
    by_position = [by_name.pop(p.name, p.default) for p in only_by_position]
    return function(*by_position, **by_name)


def _parameters(function: Callable[..., Any]) -> "list[inspect.Parameter] | None":
    import inspect  # takes longer than all of hops, and not every trial needs it

    try:
        return list(inspect.signature(function).parameters.values())
    except ValueError:  # a function written in C that does not say
        return None


def _check_taken(function: Callable[..., Any], unknown: list[str], takes: list[str]) -> None:
    if unknown:
        accepted = f"It takes {_listed(takes)}." if takes else "It takes no arguments."
        message = f"{_name(function)} takes no argument {_listed(unknown)}. {accepted}"
        raise SettingsError(message, hint="Names of the values are names of the arguments.")


def _name(function: Callable[..., Any]) -> str:
    return f"The function {getattr(function, '__name__', None) or type(function).__name__!r}"


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)
