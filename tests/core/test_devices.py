"""Counting GPUs, on made-up tables: a fake NVML, and files as the kernel has them for AMD."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import pytest

from hops.core import SettingsError
from hops.devices import Gpu, Vendor, get_gpu_info, get_num_gpus

GIB = 1 << 30

Answer = TypeVar("Answer")


class NVMLError(Exception):
    """As the real one: the base of everything NVML raises."""


@dataclass
class Device:
    """A made-up NVIDIA GPU or MIG slice; `None` where NVML answers "not supported"."""

    uuid: str | bytes
    name: str | bytes = "H200"
    total: int | None = 141 * GIB
    utilization: int | None = 7
    slices: list["Device | None"] = field(default_factory=list)

    @property
    def used(self) -> int:
        """In use: a GiB."""
        return GIB

    @property
    def gpu(self) -> int | None:
        """As NVML calls it."""
        return self.utilization


class FakeNvml(ModuleType):
    """What `pynvml` offers of a machine with the given devices; `None` is a lost one."""

    NVMLError = NVMLError

    def __init__(self, *devices: Device | None, fails_at: str = "") -> None:
        super().__init__("pynvml")
        self.devices = devices
        self.fails_at = fails_at
        self.open_sessions = 0

    def nvmlInit(self) -> None:  # noqa: N802 - NVML's name, as those below
        """Begin a session."""
        if self.fails_at == "init":
            raise NVMLError
        self.open_sessions += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        """End a session."""
        self.open_sessions -= 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        """Count the lost ones, too."""
        if self.fails_at == "count":
            raise NVMLError
        return len(self.devices)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Device:  # noqa: N802
        """Return the device itself as its handle."""
        return known(self.devices[index])

    def nvmlDeviceGetName(self, device: Device) -> str | bytes:  # noqa: N802
        """Return the product's name."""
        return device.name

    def nvmlDeviceGetUUID(self, device: Device) -> str | bytes:  # noqa: N802
        """Return the UUID."""
        return device.uuid

    def nvmlDeviceGetMemoryInfo(self, device: Device) -> Device:  # noqa: N802
        """Return what has `total` and `used`."""
        known(device.total)
        return device

    def nvmlDeviceGetUtilizationRates(self, device: Device) -> Device:  # noqa: N802
        """Return what has `gpu`."""
        known(device.utilization)
        return device

    def nvmlDeviceGetMaxMigDeviceCount(self, device: Device) -> int:  # noqa: N802
        """Return how many slices there could be."""
        return len(known(device.slices or None))

    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: Device, position: int) -> Device:  # noqa: N802
        """Return the slice at one position."""
        return known(device.slices[position])


def known(value: Answer | None) -> Answer:
    """Return the answer, or fail as NVML does where there is none."""
    if value is None:
        raise NVMLError
    return value


@pytest.fixture
def nvidia(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    """Pretend a machine with four NVIDIA GPUs; two UUIDs begin alike."""
    nvml = FakeNvml(*[Device(f"GPU-{start}-d72c-4106") for start in ("aa10", "aa20", "bb10", "c")])
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    return nvml


@pytest.fixture
def amd(sysfs: Path) -> Path:
    """Pretend a machine with three AMD GPUs; return the folder of the first."""
    for number, address in enumerate(("0000:03:00.0", "0000:43:00.0", "0000:0b:00.0")):
        card = sysfs / "module/amdgpu/drivers/pci:amdgpu" / address
        (card / f"drm/card{number}").mkdir(parents=True)
        (card / f"drm/renderD{number}").mkdir()
        (card / "unique_id").write_text(f"{number}fee\n")
    return sysfs / "module/amdgpu/drivers/pci:amdgpu/0000:03:00.0"


def test_nothing_to_ask_is_no_gpu() -> None:
    """No variable, no library, no driver: zero, and no error."""
    assert get_num_gpus() == 0
    assert get_gpu_info() == []


@pytest.mark.parametrize(("value", "count"), [("0", 0), ("2", 2), (" 3 ", 3)])
def test_the_cluster_says_how_many(monkeypatch: pytest.MonkeyPatch, value: str, count: int) -> None:
    """`EXECUTOR_GPUS` is the answer where nothing else is known."""
    monkeypatch.setenv("EXECUTOR_GPUS", value)

    assert get_num_gpus() == count


@pytest.mark.parametrize("value", ["two", "-1", "1.5", "0x1", "²"])
def test_a_wrong_grant_is_an_error(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """A grant that is no number is not read as none: a program would train on the CPU for days."""
    monkeypatch.setenv("EXECUTOR_GPUS", value)

    with pytest.raises(SettingsError, match=f"EXECUTOR_GPUS is {value!r}") as raised:
        get_num_gpus()

    assert "unset EXECUTOR_GPUS" in str(raised.value.hint)


@pytest.mark.usefixtures("nvidia")
@pytest.mark.parametrize(
    ("granted", "listed", "count"),
    [
        ("2", None, 2),
        ("9", None, 4),
        ("0", None, 0),
        ("", None, 4),
        ("2", "3", 1),
        ("2", "", 0),
        ("1", "0,1", 1),
    ],
)
def test_the_cluster_is_not_believed_blindly(
    monkeypatch: pytest.MonkeyPatch, granted: str, listed: str | None, count: int
) -> None:
    """Never more GPUs than granted, and never more than the process can see."""
    monkeypatch.setenv("EXECUTOR_GPUS", granted)
    if listed is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)

    assert get_num_gpus() == count


LISTS = {
    "": 0,
    "-1": 0,
    "NoDevFiles": 0,
    "none": 0,
    "0": 1,
    "0,1": 2,
    " 2 , 0 ": 2,
    "0,2,-1,1": 2,
    "0,,1": 1,
    "1,1": 0,
    "GPU-aa10-d72c-4106": 1,
    "GPU-aa10-d72c-4106,GPU-c": 2,
    "GPU-bb,0": 2,
}


@pytest.mark.parametrize(("listed", "count"), LISTS.items())
def test_visible_devices_are_counted_as_cuda_does(
    monkeypatch: pytest.MonkeyPatch, listed: str, count: int
) -> None:
    """Without NVML, the entries count up to the first that names no device."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)

    assert get_num_gpus() == count


@pytest.mark.usefixtures("nvidia")
@pytest.mark.parametrize(
    ("listed", "count"),
    [
        *LISTS.items(),
        ("3,4,0", 1),  # there is no fifth
        ("0,99999999999999999999", 1),
        ("GPU-aa", 0),  # fits two
        ("GPU-dead,0", 0),
        ("0,GPU-aa10", 0),  # the same twice
        ("MIG-1", 0),
    ],
)
def test_visible_devices_must_exist(
    monkeypatch: pytest.MonkeyPatch, listed: str, count: int
) -> None:
    """With NVML, what the machine does not have is not counted, nor what follows it."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)

    assert get_num_gpus() == count
    assert len(get_gpu_info()) == count


@pytest.mark.parametrize(("listed", "count"), [("MIG-1", 1), ("MIG-1,MIG-2", 2), ("MIG-3", 0)])
def test_slices_count_where_they_are_named(
    monkeypatch: pytest.MonkeyPatch, listed: str, count: int
) -> None:
    """A MIG slice is found by its UUID; an unused position in between does not matter."""
    slices = [Device("MIG-1", total=10 * GIB, utilization=None), None, Device("MIG-2")]
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(Device("GPU-a", slices=slices)))

    assert get_num_gpus() == 1
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)
    assert get_num_gpus() == count
    assert [gpu.uuid for gpu in get_gpu_info()] == listed.split(",")[:count]


def test_nvidia_gpus_are_described(nvidia: FakeNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each GPU comes with its position on the machine, in the order of the variable."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,0")

    last, first = get_gpu_info()

    assert (last.index, first.index) == (3, 0)
    assert first == Gpu(
        vendor=Vendor.NVIDIA,
        index=0,
        name="H200",
        uuid="GPU-aa10-d72c-4106",
        memory_total_bytes=141 * GIB,
        memory_used_bytes=GIB,
        utilization_percent=7,
    )
    assert nvidia.open_sessions == 0


def test_what_nvml_does_not_know_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers that a GPU lacks are `None`; names in bytes, of old bindings, become text."""
    device = Device(b"GPU-a", b"GB10", total=None, utilization=None)
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(device))

    [gpu] = get_gpu_info()

    assert (gpu.name, gpu.uuid) == ("GB10", "GPU-a")
    assert (gpu.memory_total_bytes, gpu.memory_used_bytes) == (None, None)
    assert gpu.utilization_percent is None


def test_a_lost_gpu_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that has fallen off the bus does not take the others with it."""
    nvml = FakeNvml(Device("GPU-a"), None, Device("GPU-c"))
    monkeypatch.setitem(sys.modules, "pynvml", nvml)

    assert [gpu.index for gpu in get_gpu_info()] == [0, 2]


@pytest.mark.parametrize("fails_at", ["init", "count"])
def test_nvml_that_fails_is_no_error(monkeypatch: pytest.MonkeyPatch, fails_at: str) -> None:
    """Without a driver the next source is asked; no session stays open."""
    nvml = FakeNvml(Device("GPU-a"), fails_at=fails_at)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)

    assert get_num_gpus() == 0
    assert nvml.open_sessions == 0
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    assert get_num_gpus() == 2


def test_a_broken_library_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A `pynvml` that cannot be imported is as good as none."""
    (tmp_path / "pynvml.py").write_text("raise ImportError('libnvidia-ml.so.1')\n")
    monkeypatch.delitem(sys.modules, "pynvml")
    monkeypatch.syspath_prepend(tmp_path)

    assert get_num_gpus() == 0


def test_nvml_that_sees_no_gpu_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver without a GPU outweighs every promise."""
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("EXECUTOR_GPUS", "2")

    assert get_num_gpus() == 0


@pytest.mark.usefixtures("amd")
@pytest.mark.parametrize(
    ("variables", "uuids"),
    [
        ({}, ["GPU-0fee", "GPU-2fee", "GPU-1fee"]),
        ({"ROCR_VISIBLE_DEVICES": "2,0"}, ["GPU-1fee", "GPU-0fee"]),
        ({"ROCR_VISIBLE_DEVICES": "GPU-2fee"}, ["GPU-2fee"]),
        ({"HIP_VISIBLE_DEVICES": "1"}, ["GPU-2fee"]),
        ({"HIP_VISIBLE_DEVICES": ""}, []),
        ({"HIP_VISIBLE_DEVICES": "-1"}, []),
        ({"CUDA_VISIBLE_DEVICES": "0"}, ["GPU-0fee"]),
        ({"CUDA_VISIBLE_DEVICES": "0", "HIP_VISIBLE_DEVICES": "1,2"}, ["GPU-2fee", "GPU-1fee"]),
        ({"ROCR_VISIBLE_DEVICES": "2,0", "HIP_VISIBLE_DEVICES": "1"}, ["GPU-0fee"]),
        ({"ROCR_VISIBLE_DEVICES": "0", "HIP_VISIBLE_DEVICES": "1"}, []),
    ],
)
def test_amd_gpus(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], uuids: list[str]
) -> None:
    """Cards count in bus order; HIP's positions are those that ROCm leaves over."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert [gpu.uuid for gpu in get_gpu_info()] == uuids
    assert get_num_gpus() == len(uuids)


def test_amd_gpus_are_described(amd: Path) -> None:
    """What the kernel says is taken over; what it does not say is `None`."""
    (amd / "product_name").write_text("Instinct MI300X\n")
    (amd / "mem_info_vram_total").write_text("206141652992\n")
    (amd / "mem_info_vram_used").write_text("1048576\n")
    (amd / "gpu_busy_percent").write_text("99\n")
    (amd.parent / "0000:0b:00.0" / "unique_id").unlink()

    first, second, _ = get_gpu_info()

    assert first == Gpu(
        vendor=Vendor.AMD,
        index=0,
        name="Instinct MI300X",
        uuid="GPU-0fee",
        memory_total_bytes=206141652992,
        memory_used_bytes=1048576,
        utilization_percent=99,
    )
    assert second == Gpu(
        vendor=Vendor.AMD,
        index=1,
        name="AMD GPU",
        uuid=None,
        memory_total_bytes=None,
        memory_used_bytes=None,
        utilization_percent=None,
    )


@pytest.mark.usefixtures("amd", "nvidia")
def test_nvidia_comes_first() -> None:
    """A machine with cards of both makers, often a built-in AMD one, trains on NVIDIA's."""
    assert {gpu.vendor for gpu in get_gpu_info()} == {Vendor.NVIDIA}
