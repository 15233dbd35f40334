"""Which versions the two ends of the channel have."""

import os
import sys


def versions() -> dict[str, str]:
    """Return the versions that driver and agent must agree on, by name."""
    return {
        "python": ".".join(str(part) for part in sys.version_info[:2]),
        "hops": installed_version("hops-experiment"),
        "cloudpickle": installed_version("cloudpickle"),
    }


def installed_version(distribution: str) -> str:
    """Return the version of an installed distribution.

    Read from the name of its metadata directory, because importing `importlib.metadata` takes
    longer than all else that an agent does before its first trial.

    Source:
        Python Packaging User Guide, "Recording installed projects": `{name}-{version}.dist-info`.
    """
    prefix = f"{distribution.replace('-', '_')}-"
    for entry in sys.path:
        try:
            names = os.listdir(entry or ".")  # noqa: PTH208 - pathlib makes an object of each
        except OSError:
            continue
        for name in names:
            if name.startswith(prefix) and name.endswith(".dist-info"):
                return name.removeprefix(prefix).removesuffix(".dist-info")
    return "unknown"
