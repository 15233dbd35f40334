"""AMD GPUs, read from the files of the kernel driver `amdgpu`.

Source:
    The Linux kernel's documentation, "AMDGPU Driver Information" (names and units of the files).
"""

from pathlib import Path

from hops.devices.gpu import Gpu, Vendor

SYSFS = Path("/sys")


def list_gpus(sysfs: Path) -> list[Gpu]:
    """List the cards that `amdgpu` drives, in PCI bus order; none where it is not loaded.

    Args:
        sysfs: Where the kernel's files are, `/sys` on a real machine.
    """
    cards = sysfs.glob("module/amdgpu/drivers/pci:amdgpu/*/drm/card*")
    devices = sorted(card.parent.parent for card in cards)
    return [_describe(device, index) for index, device in enumerate(devices)]


def _describe(device: Path, index: int) -> Gpu:
    serial = _read(device / "unique_id")
    return Gpu(
        vendor=Vendor.AMD,
        index=index,
        name=_read(device / "product_name") or "AMD GPU",
        uuid=f"GPU-{serial}" if serial else None,
        memory_total_bytes=_read_number(device / "mem_info_vram_total"),
        memory_used_bytes=_read_number(device / "mem_info_vram_used"),
        utilization_percent=_read_number(device / "gpu_busy_percent"),
    )


def _read_number(file: Path) -> int | None:
    text = _read(file)
    return int(text) if text.isdecimal() else None


def _read(file: Path) -> str:
    """Return the content; empty where this card does not have the file or cannot answer."""
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""
