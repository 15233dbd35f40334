"""NVIDIA GPUs, asked through NVML."""

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

from hops.core.optional import import_optional
from hops.devices.gpu import Gpu, Vendor


class Inventory(NamedTuple):
    """The NVIDIA GPUs that this process has access to."""

    gpus: list[Gpu]
    slices: list[Gpu]


def take_inventory() -> Inventory | None:
    """Ask NVML; `None` where it cannot answer: no driver, no library, no package `pynvml`."""
    try:
        nvml = import_optional("pynvml", install="hops-core[gpu]")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError:
        return None
    try:
        return _read(nvml)
    except nvml.NVMLError:
        return None
    finally:
        nvml.nvmlShutdown()


def _read(nvml: ModuleType) -> Inventory:
    inventory = Inventory([], [])
    for index in range(nvml.nvmlDeviceGetCount()):
        handle = _ask(nvml, nvml.nvmlDeviceGetHandleByIndex, index)
        if handle is not None:  # else fallen off the bus, or not this user's: CUDA skips it too
            inventory.gpus.append(_describe(nvml, handle, index))
            inventory.slices.extend(_describe(nvml, part, index) for part in _slices(nvml, handle))
    return inventory


def _slices(nvml: ModuleType, handle: object) -> Iterator[object]:
    for position in range(_ask(nvml, nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
        part = _ask(nvml, nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, position)
        if part is not None:
            yield part


def _describe(nvml: ModuleType, handle: object, index: int) -> Gpu:
    memory = _ask(nvml, nvml.nvmlDeviceGetMemoryInfo, handle)
    rates = _ask(nvml, nvml.nvmlDeviceGetUtilizationRates, handle)
    return Gpu(
        vendor=Vendor.NVIDIA,
        index=index,
        name=_text(_ask(nvml, nvml.nvmlDeviceGetName, handle)) or "NVIDIA GPU",
        uuid=_text(_ask(nvml, nvml.nvmlDeviceGetUUID, handle)),
        memory_total_bytes=None if memory is None else int(memory.total),
        memory_used_bytes=None if memory is None else int(memory.used),
        utilization_percent=None if rates is None else int(rates.gpu),
    )


def _ask(nvml: ModuleType, question: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401 - ctypes
    """Return the answer of NVML, `None` where this device has none."""
    try:
        return question(*arguments)
    except nvml.NVMLError:
        return None


def _text(value: bytes | str | None) -> str | None:
    """Decode what bindings before version 11.515 gave as bytes; clusters still have them."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value
