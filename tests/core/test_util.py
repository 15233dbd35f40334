import sys
from types import ModuleType, SimpleNamespace

import pytest

from hops import util


@pytest.fixture
def pyspark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A stand-in for pyspark, imported by the program, without a session."""
    module = ModuleType("pyspark")
    module.SparkContext = SimpleNamespace(_active_spark_context=None)  # type: ignore[attr-defined] # a fake
    monkeypatch.setitem(sys.modules, "pyspark", module)
    return module


def test_without_spark_there_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that has not imported pyspark has one executor, and pyspark stays out."""
    monkeypatch.delitem(sys.modules, "pyspark", raising=False)

    assert util.num_executors() == 1
    assert "pyspark" not in sys.modules


@pytest.mark.usefixtures("pyspark")
def test_without_a_session_there_is_this_machine() -> None:
    """The question starts no session."""
    assert util.num_executors() == 1


def test_a_session_is_asked(pyspark: ModuleType) -> None:
    """The name and the meaning of the old library: what dynamic allocation may come to."""
    properties = {
        "spark.dynamicAllocation.enabled": "true",
        "spark.dynamicAllocation.maxExecutors": "7",
    }
    none = SimpleNamespace(size=lambda: 0)
    store = SimpleNamespace(executorList=lambda _: none)
    pyspark.SparkContext._active_spark_context = SimpleNamespace(  # noqa: SLF001 - its real name
        master="yarn",
        getConf=lambda: SimpleNamespace(getAll=properties.items),
        _jsc=SimpleNamespace(sc=lambda: SimpleNamespace(statusStore=lambda: store)),
    )

    assert util.num_executors() == 7
