"""`examples/quickstart.py`: the lines of the old library's quick start, unchanged, as a program."""

import re
from pathlib import Path

import pytest

from programs import example, files, read, runs, start

NOTEBOOK = example("quickstart.ipynb")


@pytest.fixture(scope="module")
def output(home: Path) -> str:
    """Run the program once for all tests; return what it wrote."""
    return start(example("quickstart.py"), home)


def test_output_is_shown(output: str, run: Path) -> None:
    """What the function prints is shown while it runs; the program prints what it returned."""
    accuracy = read(run / ".outputs.json")["accuracy"]
    last = f"It reads {accuracy:.1%} of unseen digits; all about it is in {run}"

    assert re.search(r"^\[trial\] trained for \d+ epochs$", output, re.MULTILINE)
    assert output.splitlines()[-1] == last
    assert accuracy > 0.9


def test_notebook_is_kept_with_the_results(home: Path, run: Path) -> None:
    """The versioned resource is copied into the run's directory, and stays where it was."""
    in_project = home / "project/Jupyter/Experiment/quickstart.ipynb"

    assert (run / NOTEBOOK.name).read_bytes() == NOTEBOOK.read_bytes()
    assert in_project.read_bytes() == NOTEBOOK.read_bytes()


def test_files_lie_in_the_directory_of_the_run(run: Path) -> None:
    """A single trial has no directory of its own, and nothing to compare: no `.metric`."""
    assert files(run) == {
        ".experiment.json",
        ".outputs.json",
        ".summary.json",
        "events.out.tfevents.*.hops.hparams",
        "output.log",
        NOTEBOOK.name,
    }


def test_record_says_what_the_program_said(run: Path) -> None:
    """Name, description and the copy of the notebook are in `.experiment.json`."""
    record = read(run / ".experiment.json")

    assert record["name"] == "mnist estimator"
    assert record["description"] == "A minimal mnist example with two hidden layers"
    assert record["versionedResources"] == [f"Experiments/{run.name}/{NOTEBOOK.name}"]
    assert record["function"] == "minimal_mnist"
    assert record["state"] == "FINISHED"


def test_second_start_is_a_second_run(run: Path, home: Path) -> None:
    """Nothing of the first run is touched by a later one."""
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}

    start(example("quickstart.py"), home)

    assert len(runs(home)) == 2
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
