"""`examples/digits.py`, the first program that a new user runs."""

import itertools
import re
from pathlib import Path

import pytest

from programs import curves, example, files, read, runs, start

SPACE: dict[str, list[float]] = {"units": [16, 64], "rate": [0.001, 0.01], "decay": [0.0001, 1.0]}
TRIALS = [dict(zip(SPACE, values, strict=True)) for values in itertools.product(*SPACE.values())]
NAMES = ["&".join(f"{name}={value}" for name, value in trial.items()) for trial in TRIALS]


@pytest.fixture(scope="module")
def output(home: Path) -> str:
    """Run the program once for all tests; return what it wrote."""
    return start(example("digits.py"), home)


def test_first_line_says_where_everything_is(output: str, run: Path, home: Path) -> None:
    """It names platform, engine and directory, in which the only run is."""
    assert re.match(r"hops: laptop, local engine \(\d+ workers?\), /", output)
    assert runs(home) == [run]


@pytest.mark.parametrize("name", NAMES)
def test_each_trial_is_seen_while_it_runs(output: str, name: str) -> None:
    """What a trial prints is shown with its name, and its end with what it returned."""
    trial = re.escape(name)

    assert re.search(rf"^\[{trial}\] epoch 10: loss \d\.\d+$", output, re.MULTILINE)
    assert re.search(rf"^trial \d/8 {trial} finished accuracy=0\.\d+ loss=", output, re.MULTILINE)


def test_table_is_sorted_by_accuracy(output: str) -> None:
    """The table has each trial once, the best first, with parameters and outputs as columns."""
    lines = output.splitlines()
    head = next(
        number for number, line in enumerate(lines) if line.split()[:2] == ["trial", "units"]
    )
    rows = [line.split() for line in lines[head + 2 : head + 10]]
    accuracies = [float(row[4]) for row in rows]

    assert lines[head].split() == ["trial", *SPACE, "accuracy", "loss", "state", "time"]
    assert sorted(row[0] for row in rows) == [str(number) for number in range(1, 9)]
    assert accuracies == sorted(accuracies, reverse=True)
    assert [row[6] for row in rows] == ["best"] + ["finished"] * 7


def test_best_network_reads_digits(output: str, run: Path) -> None:
    """The last line names the best trial, which reads more than nine digits in ten."""
    best = max(read(run / ".summary.json")["combinations"], key=lambda c: c["outputs"]["accuracy"])
    accuracy = best["outputs"]["accuracy"]
    last = f"The best reads {accuracy:.1%} of unseen digits: {best['parameters']}"

    assert output.splitlines()[-1] == last
    assert accuracy > 0.9


def test_files_are_those_of_the_old_library(run: Path) -> None:
    """The run leaves the files that hops-util-py left, the returned file, and events; no others."""
    of_trial = {
        ".hparams.json",
        ".outputs.json",
        ".metric",
        "output.log",
        "confusion.csv",
        "events.out.tfevents.*.hops.hparams",
    }
    of_run = {
        ".experiment.json",
        ".summary.json",
        "events.out.tfevents.0000000000.hops.experiment.hparams",
    }

    assert files(run) == of_run | {f"{trial}/{name}" for trial in NAMES for name in of_trial}


@pytest.mark.parametrize(("trial", "name"), list(zip(TRIALS, NAMES, strict=True)), ids=NAMES)
def test_files_of_a_trial_agree(run: Path, trial: dict[str, float], name: str) -> None:
    """Parameters, outputs, metric, log, returned file and TensorBoard tell the same story."""
    outputs = read(run / name / ".outputs.json")
    accuracy = outputs["accuracy"]
    place = f"Experiments/{run.name}/{name}"
    rows = [line.split(",") for line in (run / name / "confusion.csv").read_text().splitlines()]
    right = sum(int(row[digit]) for digit, row in enumerate(rows))
    seen = sum(int(cell) for row in rows for cell in row)

    assert read(run / name / ".hparams.json") == trial
    assert set(outputs) == {"accuracy", "loss", "confusion", "log"}
    assert outputs["confusion"] == f"{place}/confusion.csv"
    assert outputs["log"] == f"{place}/output.log"
    assert float((run / name / ".metric").read_text()) == accuracy
    assert right / seen == pytest.approx(accuracy)
    assert "epoch 20: loss" in (run / name / "output.log").read_text()
    assert curves(run / name)["outputs/accuracy"] == [pytest.approx(accuracy)]


def test_record_of_the_run(run: Path) -> None:
    """`.experiment.json` says what was searched, how it ended, and which trial is the best."""
    record = read(run / ".experiment.json")
    combinations = read(run / ".summary.json")["combinations"]
    accuracies = [combination["outputs"]["accuracy"] for combination in combinations]
    best = max(range(8), key=lambda number: accuracies[number])

    assert [combination["parameters"] for combination in combinations] == TRIALS
    assert record["name"] == "digits"
    assert record["state"] == "FINISHED"
    assert record["space"] == SPACE
    assert record["optimizationKey"] == "accuracy"
    assert record["direction"] == "MAX"
    assert record["bestDir"] == f"Experiments/{run.name}/{NAMES[best]}"
    assert float(record["metric"]) == accuracies[best]


def test_hparams_tab_has_parameters_and_outcome(run: Path) -> None:
    """TensorBoard's HParams tab finds the columns in the run's directory, a row in each trial's."""
    assert set(curves(run)) == {"_hparams_/experiment"}
    for name in NAMES:
        assert set(curves(run / name)) == {
            "_hparams_/session_start_info",
            "_hparams_/session_end_info",
            "outputs/accuracy",
            "outputs/loss",
        }
