"""`examples/digits_pytorch.py`."""

from pathlib import Path

import pytest

from programs import curves, example, files, read, runs, start

NAMES = [f"units={units}&rate={rate}" for units in (16, 64) for rate in (0.01, 0.1)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the program once for all tests; return where it was started."""
    home = tmp_path_factory.mktemp("home")
    start(example("digits_pytorch.py"), home)
    return home


@pytest.fixture
def run(home: Path) -> Path:
    """Return the directory of its only run."""
    [directory] = runs(home)
    return directory


def test_best_network_reads_digits(run: Path) -> None:
    """The best trial, whose accuracy is a tensor, reads more than nine digits in ten."""
    record = read(run / ".experiment.json")

    assert record["state"] == "FINISHED"
    assert float(record["metric"]) > 0.9


def test_each_trial_keeps_its_network_and_its_events(run: Path) -> None:
    """Beside the usual files stand the saved network, and the events of PyTorch's own writer."""
    of_trial = {
        ".hparams.json",
        ".outputs.json",
        ".metric",
        "output.log",
        "network.pt",
        "events.out.tfevents.*",
        "events.out.tfevents.*.hops.hparams",
    }

    for name in NAMES:
        assert files(run / name) == of_trial


@pytest.mark.parametrize("name", NAMES)
def test_curves_end_with_the_outputs(run: Path, name: str) -> None:
    """TensorBoard shows a point for every epoch, and the returned numbers beside the curves."""
    outputs = read(run / name / ".outputs.json")
    found = curves(run / name)

    assert len(found["loss"]) == len(found["accuracy"]) == 100
    assert found["loss"][-1] == pytest.approx(outputs["loss"])
    assert found["outputs/accuracy"] == [found["accuracy"][-1]]


def test_network_can_be_loaded(run: Path) -> None:
    """The file that the trial saved in its working directory is the whole network."""
    import torch

    outputs = read(run / NAMES[0] / ".outputs.json")
    network = torch.load(run.parents[1] / outputs["network"], weights_only=True)

    assert network["0.weight"].shape == (16, 64)
