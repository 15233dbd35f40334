"""What is known of one GPU."""

from dataclasses import dataclass
from enum import StrEnum


class Vendor(StrEnum):
    """Who made a GPU, and so whose software drives it."""

    NVIDIA = "nvidia"
    AMD = "amd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU, or one MIG slice of an NVIDIA GPU, as it was when it was asked."""

    vendor: Vendor
    """Who made it."""

    index: int
    """Position among the GPUs of the machine, from 0, in PCI bus order as `nvidia-smi` has it.

    CUDA has the same order where `CUDA_DEVICE_ORDER` is `PCI_BUS_ID`. A MIG slice has the index
    of its GPU."""

    name: str
    """The product's name."""

    uuid: str | None
    """`GPU-...` or `MIG-...`: what the variables of visible devices accept. `None`: it has none."""

    memory_total_bytes: int | None
    """`None` where the driver does not say, as for memory that is shared with the CPU."""

    memory_used_bytes: int | None
    """By all processes together. `None` where the driver does not say."""

    utilization_percent: int | None
    """Share of the last sampling period (up to 1 s) with work on the GPU, 0 to 100; `None` where
    the driver does not say, as for a MIG slice."""
