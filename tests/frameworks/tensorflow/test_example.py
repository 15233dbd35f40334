"""`examples/digits_keras.py`."""

from pathlib import Path

import pytest

from programs import curves, example, files, read, runs, start

NAMES = [f"units={units}&rate={rate}" for units in (16, 64) for rate in (0.001, 0.01)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the program once for all tests; return where it was started."""
    home = tmp_path_factory.mktemp("home")
    start(example("digits_keras.py"), home)
    return home


@pytest.fixture
def run(home: Path) -> Path:
    """Return the directory of its only run."""
    [directory] = runs(home)
    return directory


def test_best_network_reads_digits(run: Path) -> None:
    """The best trial reads more than nine digits in ten."""
    record = read(run / ".experiment.json")

    assert record["state"] == "FINISHED"
    assert float(record["metric"]) > 0.9


@pytest.mark.parametrize("name", NAMES)
def test_each_trial_keeps_its_network_and_its_events(run: Path, name: str) -> None:
    """Beside the usual files stand the saved network, and the events of Keras's own callback."""
    assert files(run / name) == {
        ".hparams.json",
        ".outputs.json",
        ".metric",
        "output.log",
        "network.keras",
        "train/events.out.tfevents.*.v2",
        "validation/events.out.tfevents.*.v2",
        "events.out.tfevents.*.hops.hparams",
    }


@pytest.mark.parametrize("name", NAMES)
def test_curves_end_with_the_outputs(run: Path, name: str) -> None:
    """TensorBoard shows a point for every epoch; the last is what the trial returned."""
    outputs = read(run / name / ".outputs.json")
    found = curves(run / name / "validation")

    assert len(found["epoch_accuracy"]) == 10
    assert found["epoch_accuracy"][-1] == pytest.approx(outputs["accuracy"])
    assert found["epoch_loss"][-1] == pytest.approx(outputs["loss"])


def test_network_can_be_loaded(run: Path) -> None:
    """The file that the trial saved in its working directory is the whole network."""
    import keras

    outputs = read(run / NAMES[0] / ".outputs.json")
    network = keras.saving.load_model(run.parents[1] / outputs["network"])

    assert network.layers[0].units == 16
