import enum
import functools
import pickle
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hops.experiment.driver.packing import (
    check_values_travel,
    modules_beside_script,
    pack,
    pack_parameters,
)
from hops.experiment.errors import PicklingError
from hops.experiment.wire import MESSAGE_BYTES

LOCK = threading.Lock()


class Colour(enum.StrEnum):
    """A member is a string, but no plain one."""

    RED = "red"


class Holder:
    """Callable, with something in it."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __call__(self) -> object:
        """Return it."""
        return self.value

    method = __call__


class Slotted:
    """Callable, without a dictionary of variables, and does not travel."""

    __slots__ = ()

    def __call__(self) -> None:
        """Do nothing."""

    def __reduce__(self) -> str:
        raise TypeError("stays here")  # noqa: EM101, TRY003 - the text is all there is


class Unshowable:
    """Neither travels nor shows itself."""

    def __reduce__(self) -> str:
        raise TypeError("stays here")  # noqa: EM101, TRY003 - the text is all there is

    def __repr__(self) -> str:
        raise RuntimeError


def over_lock() -> object:
    """Use a variable of the module."""
    return LOCK


def first(n: int) -> object:
    """Refer to the second, which refers to this one and to a lock."""
    return second(n)


def second(n: int) -> object:
    """Refer to the first, and to a lock."""
    return first(n - 1) if n else LOCK


def itself(n: int) -> object:
    """Refer to itself before the lock."""
    return itself(n - 1) if n else LOCK


def registered() -> set[str]:
    """Return the modules that cloudpickle would send along."""
    import cloudpickle

    return set(cloudpickle.list_registry_pickle_by_value())


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the program be a script in an empty directory; return the directory."""
    directory = tmp_path / "script"
    directory.mkdir()
    main = ModuleType("__main__")
    main.__file__ = str(directory / "train.py")
    monkeypatch.setitem(sys.modules, "__main__", main)
    monkeypatch.syspath_prepend(str(directory))
    monkeypatch.delitem(sys.modules, "beside_it", raising=False)  # of another test
    return directory


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], ModuleType]:
    """Return what makes a module of a file, and imports it."""

    def make(path: Path, name: str | None = None) -> ModuleType:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        module = ModuleType(name or path.stem)
        module.__file__ = str(path)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return module

    return make


def test_a_function_comes_out_as_it_went_in() -> None:
    """A closure with its variables, without the module that it was made in."""
    numbers = [1, 2, 3]
    packed = pack(lambda a: [a * number for number in numbers])

    assert pickle.loads(packed)(2) == [2, 4, 6]


def test_the_modules_beside_the_script(
    script: Path, imported: Callable[..., ModuleType], tmp_path: Path
) -> None:
    """Those in its directory and below; neither others, nor installed ones, nor ours."""
    beside = [imported(script / "helper.py"), imported(script / "package" / "part.py")]
    imported(tmp_path / "elsewhere.py")
    imported(tmp_path / "script-2" / "near.py")
    imported(script / "venv" / "lib" / "site-packages" / "installed.py")
    imported(script / "dist-packages" / "system.py")
    imported(script / "hops" / "own.py", "hops.own")
    sys.modules["nameless"] = ModuleType("nameless")

    try:
        assert modules_beside_script() == beside
    finally:
        del sys.modules["nameless"]


def test_a_module_with_two_names_counts_once(
    script: Path, imported: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second name for a module is no module of its own."""
    helper = imported(script / "helper.py")
    monkeypatch.setitem(sys.modules, "alias", helper)

    assert modules_beside_script() == [helper]
    pack(lambda: None)


def test_without_a_script_the_current_directory_counts(
    tmp_path: Path, imported: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a notebook or at a prompt."""
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    monkeypatch.chdir(tmp_path)
    helper = imported(tmp_path / "helper.py")

    assert modules_beside_script() == [helper]


def test_a_module_beside_the_script_travels(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its functions are there where it cannot be imported, and cloudpickle is left as it was."""
    (script / "beside_it.py").write_text("def double(a):\n    return 2 * a\n")
    module = __import__("beside_it")
    monkeypatch.setitem(sys.modules, "beside_it", module)
    packed = pack(module.double)

    monkeypatch.delitem(sys.modules, "beside_it")
    (script / "beside_it.py").unlink()
    assert pickle.loads(packed)(2) == 4
    assert registered() == set()


def test_what_the_user_registered_stays(script: Path, imported: Callable[..., ModuleType]) -> None:
    """A module that was registered by value before is so afterwards."""
    helper = imported(script / "helper.py")
    import cloudpickle

    cloudpickle.register_pickle_by_value(helper)
    try:
        pack(lambda: None)
        assert registered() == {"helper"}
    finally:
        cloudpickle.unregister_pickle_by_value(helper)


def test_nothing_stays_registered_after_a_failure(
    script: Path, imported: Callable[..., ModuleType]
) -> None:
    """Also when the function cannot travel."""
    imported(script / "helper.py")
    with pytest.raises(PicklingError):
        pack(Holder(LOCK))

    assert registered() == set()


def test_a_function_of_an_importable_module_stays_there() -> None:
    """Only its name travels, so a lock in its module does not matter."""
    assert pickle.loads(pack(over_lock)) is over_lock


@pytest.mark.parametrize(
    ("function", "culprit"),
    [
        (lambda: LOCK, "variable 'LOCK' (a lock)"),
        (lambda lock=LOCK: lock, "variable 'default 0' (a lock)"),
        (functools.partial(print, LOCK), "variable 'argument 0' (a lock)"),
        (functools.partial(print, end=LOCK), "variable 'end' (a lock)"),
        (functools.partial(Holder(LOCK)), "variable 'value' (a lock)"),
        (Holder(LOCK), "'Holder' cannot be sent"),
        (Holder(LOCK), "variable 'value' (a lock)"),
        (Holder(LOCK).method, "the variable 'value' (a lock)"),
        (Slotted(), "'Slotted' cannot be sent to another process, because it cannot travel"),
    ],
)
def test_what_cannot_travel_is_named(function: Callable[..., Any], culprit: str) -> None:
    """The error names the variable, however deep, and its type."""
    with pytest.raises(PicklingError) as caught:
        pack(function)

    assert culprit in str(caught.value)
    assert "engine='inline'" in (caught.value.hint or "")
    assert isinstance(caught.value.__cause__, TypeError)


def test_variables_by_name_only_and_of_a_closure() -> None:
    """They are found as well."""
    lock = threading.Lock()

    def inner(*, value: object = None) -> object:
        return lock, value

    with pytest.raises(PicklingError, match="variable 'lock'"):
        pack(inner)
    inner.__kwdefaults__ = {"value": LOCK}
    lock = None  # type: ignore[assignment] # the other variable is the culprit now
    with pytest.raises(PicklingError, match="variable 'value'"):
        pack(inner)


@pytest.mark.parametrize("function", [first, itself])
def test_functions_that_refer_to_each_other(
    function: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search for the culprit goes round no circle."""
    for one in (first, second, itself):
        monkeypatch.setattr(one, "__module__", "__main__")

    with pytest.raises(PicklingError, match=r"variable 'LOCK' \(a lock\)"):
        pack(function)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"a": 1, "b": "text", "c": None, "d": 0.5, "e": True},
        {"a": Colour.RED},
        {"a": [1, {"b": (2, 3)}]},
    ],
)
def test_parameters_come_out_as_they_went_in(parameters: dict[str, Any]) -> None:
    """Values and types are kept, and so is the order."""
    unpacked = pickle.loads(pack_parameters(parameters))

    assert unpacked == parameters
    assert list(unpacked) == list(parameters)
    assert [type(value) for value in unpacked.values()] == [
        type(value) for value in parameters.values()
    ]


def test_no_parameters_are_no_bytes() -> None:
    """A function without arguments needs nothing to be sent."""
    assert pack_parameters(None) == b""


def test_values_of_classes_of_the_script_travel() -> None:
    """Also one that is a string, of a class that is in the script alone."""
    made: Any = type("Fruit", (str,), {"__module__": "__main__"})
    member = made("pear")

    assert b"Fruit" in pack_parameters({"a": member})
    assert pickle.loads(pack_parameters({"a": member}))["a"] == "pear"


def test_values_from_modules_beside_the_script_travel(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are there where the module cannot be imported: on another host."""
    (script / "beside_it.py").write_text("class Model:\n    layers = 3\n")
    module = __import__("beside_it")
    monkeypatch.setitem(sys.modules, "beside_it", module)
    packed = pack_parameters({"model": module.Model})

    monkeypatch.delitem(sys.modules, "beside_it")
    (script / "beside_it.py").unlink()
    assert pickle.loads(packed)["model"].layers == 3
    assert registered() == set()


def test_several_threads_pack_at_a_time(script: Path, imported: Callable[..., ModuleType]) -> None:
    """The registry of cloudpickle is one for all: none takes away what another one needs."""
    (script / "beside_it.py").write_text("def double(a):\n    return 2 * a\n")
    double = __import__("beside_it").double
    for number in range(50):
        imported(script / f"other{number}.py")
    with ThreadPoolExecutor(4) as pool:
        packed = list(pool.map(pack, [double] * 200))

    sys.modules.pop("beside_it")
    (script / "beside_it.py").unlink()
    assert {pickle.loads(each)(2) for each in packed} == {4}


def test_values_that_travel_are_fine() -> None:
    """Functions, classes and whatever can be pickled."""
    check_values_travel({"a": [1, "x", None], "b": [lambda: 1, Colour, Colour.RED, b"x" * 1000]})
    check_values_travel({})


@pytest.mark.parametrize("value", [LOCK, [LOCK], Slotted(), Unshowable()])
def test_a_value_that_cannot_travel_is_named(value: object) -> None:
    """The error says which argument has it, and the hint says how to run it nevertheless."""
    with pytest.raises(PicklingError, match=r"of 'b' \(a \w+\) cannot be sent") as caught:
        check_values_travel({"a": [1], "b": [1, value]})

    assert "engine='inline'" in (caught.value.hint or "")


def test_values_that_are_too_large_are_refused() -> None:
    """Those of one trial must fit into one message; those of all need not."""
    half = bytes(MESSAGE_BYTES // 2)
    check_values_travel({"a": [half] * 3})

    with pytest.raises(PicklingError, match=f"more than {MESSAGE_BYTES}") as caught:
        check_values_travel({"a": [1, half], "b": [half, 1]})
    assert "files" in (caught.value.hint or "")
