"""What a user without the extra `tensorboard` sees; run in interpreters that cannot find it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_HIDDEN = """
import sys
from importlib.machinery import PathFinder

find = PathFinder.find_spec

def find_elsewhere(name, path=None, target=None):
    return find(name, sys.argv[1:] if name == "tensorboard" else path, target)

PathFinder.find_spec = find_elsewhere
"""
_PROGRAM = """
from pathlib import Path
from hops.experiment.driver.view.hparams import HParamsWriter, is_installed
from hops.experiment.driver.view.tensorboard import TensorBoard
from hops.experiment.record import Outcome, State, Trial
target = Path(sys.argv[1])
trial = Trial(number=0, name="a=1", parameters={"a": 1}, directory="E/r/a=1")
writer = HParamsWriter([target], {"a": [1]}, "m")
writer.add(target, Outcome(trial=trial, state=State.FINISHED, metric=1.0))
print(is_installed(), writer.close())
server = TensorBoard()
server.start(target)
print(server.wait(100), server.problem())
server.stop()
"""


def _run(program: str, directory: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, directory],
        check=True,
        capture_output=True,
        text=True,
        cwd=directory,
        env={"PATH": os.environ["PATH"]},
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("entries", [[], ["tensorboard"]])
def test_a_run_goes_on_without(tmp_path: Path, entries: list[str]) -> None:
    """Nothing is written or started, and one line says what to install; a folder is no package."""
    for name in entries:
        (tmp_path / name).mkdir()

    said = _run(_HIDDEN + _PROGRAM, tmp_path)

    install = "TensorBoard is not installed: pip install 'hops-experiment[tensorboard]'"
    assert said.splitlines() == ["False None", f"None {install}"]
    assert [path.name for path in tmp_path.iterdir()] == entries


def test_a_launch_says_once_what_to_install(tmp_path: Path) -> None:
    """The whole run works without the package, and one of its lines says what is missing."""
    program = """
import os
os.environ["HOPS_PROJECT_DIR"] = sys.argv[1] + "/project"
from hops import experiment
print(experiment.launch(lambda a: a, {"a": [1, 2]}).outputs[1]["metric"])
"""

    lines = _run(_HIDDEN + program, tmp_path).splitlines()

    install = "TensorBoard is not installed: pip install 'hops-experiment[tensorboard]'"
    assert lines.count(install) == 1
    assert lines[-1] == "2"
