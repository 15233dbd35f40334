"""Whole programs: started as a user does, and what they leave behind."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from repository import ROOT
from workshop import empty_environment

_HOPS = re.compile(r"(tfevents)\.\d+(\.hops\.hparams)$")
_OTHERS = re.compile(r"(tfevents)\.\d+\.(?!hops\.)\S+?(\.v2)?$")


def example(name: str) -> Path:
    """Return the path of a program of `examples/`."""
    return ROOT / "examples" / name


def start(program: Path, home: Path) -> str:
    """Return what *program* writes, started in the directory *home* with an empty environment.

    The test fails where the program does, or where it has something to complain about.
    """
    done = subprocess.run(
        [sys.executable, program],
        cwd=home,
        env=empty_environment(home),
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    if done.returncode or done.stderr:
        pytest.fail(f"{program} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def runs(home: Path) -> list[Path]:
    """Return the directories of the runs that programs started in *home* have left, in order."""
    return sorted((home / "project/Experiments").iterdir())


def files(directory: Path) -> set[str]:
    """Return the files below *directory*; `*` stands for what an event file is named after."""
    names = (str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())
    return {_OTHERS.sub(r"\1.*\2", _HOPS.sub(r"\1.*\2", name)) for name in names}


def read(path: Path) -> Any:  # noqa: ANN401 - any JSON value
    """Return what a JSON file holds."""
    return json.loads(path.read_text())


def curves(directory: Path) -> Mapping[str, list[float]]:
    """Return what the event files in *directory* draw in TensorBoard, by tag.

    What stands for a tag that is no curve, such as that of the parameters, means nothing.
    """
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util.tensor_util import make_ndarray

    found: dict[str, list[float]] = {}
    for file in sorted(directory.glob("*tfevents*")):
        for event in EventFileLoader(str(file)).Load():
            for value in event.summary.value:
                found.setdefault(value.tag, []).extend(make_ndarray(value.tensor).ravel())
    return found
