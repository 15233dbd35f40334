"""What every benchmark prints: what is measured, where, and a table with peers side by side."""

import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path


def heading(claim: str, packages: Sequence[str]) -> None:
    """Print what is measured, on which machine, and with which versions.

    Args:
        claim: One sentence.
        packages: The distributions that take part.
    """
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{claim}\n")
    print(f"{_processor()}, {len(os.sched_getaffinity(0))} cores, load {load}")
    print(f"files on {_file_system()}")
    print(f"{platform.system()} {platform.release()}, Python {platform.python_version()}")
    print(f"{versions}\n", flush=True)


def table(measured: Mapping[str, Sequence[float]], unit: str, reference: str) -> None:
    """Print the median, the range, and the ratio to *reference* of each contender.

    Args:
        measured: Name of the contender to what was measured in each round.
        unit: Of the numbers.
        reference: The contender that the others are divided by.
    """
    one = statistics.median(measured[reference])
    width = max(map(len, measured))
    print(f"{'':{width}}  {unit:>10}  {'lowest':>10}  {'highest':>10}  {'ratio':>8}")
    for name, values in measured.items():
        median = statistics.median(values)
        numbers = (_number(each) for each in (median, min(values), max(values)))
        cells = "  ".join(f"{each:>10}" for each in numbers)
        print(f"{name:{width}}  {cells}  {_number(median / one):>8}")
    rounds = len(measured[reference])
    print(f"\nmedians of {rounds} rounds, in turn; ratio to {reference!r}")


def _number(value: float) -> str:
    """Write *value*, above 0, with three digits that count."""
    return f"{value:,.{max(0, 2 - math.floor(math.log10(value)))}f}"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _file_system() -> str:
    """Name the kind of file system that temporary files are on: a sync to memory costs nothing."""
    command = ["stat", "--file-system", "--format=%T", tempfile.gettempdir()]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def progress(text: str) -> None:
    """Show on standard error what is going on."""
    sys.stderr.write(f"\r\033[K{text}" if sys.stderr.isatty() else "")
    sys.stderr.flush()
