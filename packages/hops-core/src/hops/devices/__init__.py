"""Which GPUs this process may use: NVIDIA's through NVML, AMD's through the kernel's own files.

No GPU library is needed to import this, and none is ever initialised for computing: asking takes
no memory on a device, and a process may fork afterwards. The module was run on invented tables of
GPUs only, never on a GPU.
"""

from hops.devices.count import get_gpu_info, get_num_gpus
from hops.devices.gpu import Gpu, Vendor

__all__ = ["Gpu", "Vendor", "get_gpu_info", "get_num_gpus"]
