"""`examples/quickstart.ipynb`, run by Jupyter with a real kernel: its cells define the function."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from programs import example, files, read, runs
from workshop import empty_environment, run

NOTEBOOK = example("quickstart.ipynb")
EXECUTE = Path(sys.executable).with_name("jupyter-execute")


@pytest.fixture(scope="module")
def cells(home: Path) -> Mapping[str, Any]:
    """Execute the notebook once for all tests; return its cells by their ids."""
    folder = home / "project/Jupyter/Experiment"
    folder.mkdir(parents=True)
    (folder / NOTEBOOK.name).write_bytes(NOTEBOOK.read_bytes())
    command = [str(EXECUTE), "--output=executed.ipynb", NOTEBOOK.name]
    run(command, cwd=folder, env=empty_environment(home))
    return {cell["id"]: cell for cell in read(folder / "executed.ipynb")["cells"]}


def written(cell: Mapping[str, Any]) -> str:
    """Return what appeared below *cell* as text."""
    return "".join("".join(each.get("text", "")) for each in cell["outputs"])


def value(cell: Mapping[str, Any]) -> str:
    """Return the value of the last line of *cell*, as the notebook shows it."""
    [result] = [each for each in cell["outputs"] if each["output_type"] == "execute_result"]
    return "".join(result["data"]["text/plain"])


def test_output_of_a_trial_arrives_in_the_cell(cells: Mapping[str, Any]) -> None:
    """What the function prints appears below the cell that started it; so does what it returned."""
    assert re.search(r"^\[trial\] trained for \d+ epochs$", written(cells["launch"]), re.MULTILINE)
    assert "'accuracy': 0.9" in value(cells["launch"])


def test_table_arrives_in_the_cell(cells: Mapping[str, Any]) -> None:
    """Below the cell of a search stand the trials' lines and the table, the best first."""
    text = written(cells["search"])
    lines = text.splitlines()
    head = next(
        number for number, line in enumerate(lines) if line.split()[:2] == ["trial", "rate"]
    )

    assert re.search(r"^\[rate=0\.01\] trained for \d+ epochs$", text, re.MULTILINE)
    assert [line.split()[4] for line in lines[head + 2 : head + 5]] == ["best", *["finished"] * 2]
    assert f"'rate': {lines[head + 2].split()[1]}" in value(cells["search"])


def test_nothing_went_wrong(cells: Mapping[str, Any]) -> None:
    """No cell shows an error, a warning, or anything on standard error."""
    outputs = [output for cell in cells.values() for output in cell.get("outputs", [])]

    assert {output["output_type"] for output in outputs} == {"stream", "execute_result"}
    assert {output["name"] for output in outputs if "name" in output} == {"stdout"}


@pytest.mark.usefixtures("cells")
def test_both_runs_are_kept(home: Path) -> None:
    """The runs of one kernel have one id and are counted; the first keeps the notebook."""
    launch, search = runs(home)
    trials = {path.name for path in search.iterdir() if path.is_dir()}

    assert launch.name.removesuffix("_1") == search.name.removesuffix("_2")
    assert (launch / NOTEBOOK.name).read_bytes() == NOTEBOOK.read_bytes()
    assert trials == {"rate=0.001", "rate=0.01", "rate=0.1"}
    assert {".hparams.json", ".outputs.json", ".metric", "output.log"} < files(search / "rate=0.1")


def test_notebook_is_tracked_without_outputs() -> None:
    """The notebook of the repository holds code and text only."""
    code = [cell for cell in read(NOTEBOOK)["cells"] if cell["cell_type"] == "code"]

    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
