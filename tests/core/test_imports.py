import json
import subprocess
import sys

import pytest

# Worker processes import hops for every trial.
SLOW = {
    "asyncio",
    "ctypes",
    "email",
    "importlib.metadata",
    "logging",
    "shutil",
    "ssl",
    "tempfile",
    "uuid",
}

PROBE = """
import json, os, sys
before = set(sys.modules)
import hops.core, hops.core.environment, hops.devices, hops.project
loaded = sorted(set(sys.modules) - before)
for name in [name for name in sys.modules if name.startswith("hops.")]:
    del sys.modules[name]
os.environ = None
import hops.core, hops.core.environment, hops.devices, hops.project
print(json.dumps(loaded))
"""


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """What a fresh interpreter loads; its second import would fail on a look at the environment."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROBE], check=True, capture_output=True, text=True
    )
    return set(json.loads(done.stdout))


def test_importing_loads_the_standard_library_and_hops_only(loaded: set[str]) -> None:
    """No third-party package is loaded, whatever is installed here."""
    assert {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names == {"hops"}


def test_importing_is_light(loaded: set[str]) -> None:
    """The slow parts of the standard library are left for the functions that need them."""
    assert "hops.project" in loaded
    assert loaded & SLOW == set()
