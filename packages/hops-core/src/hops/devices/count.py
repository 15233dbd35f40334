"""How many GPUs, and which: what the cluster grants and what the machine shows, put together."""

import os

from hops.core import environment
from hops.core.errors import SettingsError
from hops.devices import amd, nvidia
from hops.devices.gpu import Gpu
from hops.devices.visible import parse_entries, select


def get_num_gpus() -> int:
    """Count the GPUs that this process may use.

    `EXECUTOR_GPUS` is what the cluster grants; it is never exceeded, and never believed beyond
    what the process can see. What it can see is the machine's GPUs (NVIDIA's if NVML answers and
    knows one, else AMD's) as far as `CUDA_VISIBLE_DEVICES`, or for AMD's `ROCR_VISIBLE_DEVICES`
    and `HIP_VISIBLE_DEVICES`, leave them visible. Where nothing tells the machine's GPUs (NVML
    needs `hops-core[gpu]`), the variables alone count, and without them the answer is 0.

    A MIG slice counts as one GPU where it is named; CUDA gives each process at most one of them.

    Raises:
        SettingsError: `EXECUTOR_GPUS` is not a whole number. Missing hardware, drivers and
            libraries never raise.
    """
    granted = _granted()
    seen = _count_seen()
    if granted is None:
        return seen or 0
    return granted if seen is None else min(granted, seen)


def get_gpu_info() -> list[Gpu]:
    """Describe the GPUs that this process can see, in the order of the variable that lists them.

    `EXECUTOR_GPUS` is not applied here: it says how many, not which.

    Returns:
        Empty where there is no GPU, or where nothing tells of one: NVML needs `hops-core[gpu]`.
    """
    return _find_gpus() or []


def _granted() -> int | None:
    value = os.environ.get(environment.EXECUTOR_GPUS, "").strip()
    if not value:
        return None
    if not (value.isascii() and value.isdecimal()):
        message = f"{environment.EXECUTOR_GPUS} is {value!r}. Expected a whole number, 0 or more."
        hint = f"unset {environment.EXECUTOR_GPUS}, and what the machine shows is counted"
        raise SettingsError(message, hint=hint)
    return int(value)


def _count_seen() -> int | None:
    gpus = _find_gpus()
    if gpus is not None:
        return len(gpus)
    listed = os.environ.get(environment.CUDA_VISIBLE_DEVICES)
    return None if listed is None else len(parse_entries(listed))


def _find_gpus() -> list[Gpu] | None:
    """Return the visible GPUs, `None` where nothing can tell whether there are any."""
    inventory = nvidia.take_inventory()
    cuda = os.environ.get(environment.CUDA_VISIBLE_DEVICES)
    if inventory is not None and inventory.gpus:
        return select(cuda, inventory.gpus, inventory.slices)
    cards = amd.list_gpus(amd.SYSFS)
    if cards:
        rocr = select(os.environ.get(environment.ROCR_VISIBLE_DEVICES), cards)
        return select(os.environ.get(environment.HIP_VISIBLE_DEVICES, cuda), rocr)
    return None if inventory is None else []
