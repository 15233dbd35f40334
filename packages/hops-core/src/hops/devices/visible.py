"""The language of `CUDA_VISIBLE_DEVICES` and its relatives."""

import re
from collections.abc import Sequence

from hops.devices.gpu import Gpu

_ENTRY = re.compile(r"[0-9]{1,9}|(?:GPU|MIG)-.+")


def parse_entries(listed: str) -> list[str]:
    """Split *listed* into indexes and UUIDs, as far as CUDA would read it.

    What follows the first entry that is neither, such as `-1` or `NoDevFiles`, is hidden. An entry
    that is named twice hides every device.

    Source:
        CUDA C++ Programming Guide, "CUDA Environment Variables"; on repeated entries it is silent,
        and the rule is the one that PyTorch counts by.
    """
    entries: list[str] = []
    for entry in (part.strip() for part in listed.split(",")):
        if not _ENTRY.fullmatch(entry):
            break
        if entry in entries:
            return []
        entries.append(entry)
    return entries


def select(listed: str | None, gpus: Sequence[Gpu], slices: Sequence[Gpu] = ()) -> list[Gpu]:
    """Return what *listed* leaves visible, in its order.

    Args:
        listed: The value of the variable. `None`: all *gpus*, no slice.
        gpus: Those of the machine; an index is a position in here.
        slices: MIG slices, which can be named by UUID only.
    """
    if listed is None:
        return list(gpus)
    chosen: list[Gpu] = []
    for entry in parse_entries(listed):
        gpu = _find(entry, gpus, slices)
        if gpu is None:
            break
        if gpu in chosen:
            return []
        chosen.append(gpu)
    return chosen


def _find(entry: str, gpus: Sequence[Gpu], slices: Sequence[Gpu]) -> Gpu | None:
    if entry.isdecimal():
        return gpus[int(entry)] if int(entry) < len(gpus) else None
    named = [gpu for gpu in (*gpus, *slices) if gpu.uuid and gpu.uuid.startswith(entry)]
    return named[0] if len(named) == 1 else None  # a beginning that fits two names neither
