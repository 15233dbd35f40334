"""What trials may do with TensorFlow, and what becomes of the tensors that they return."""

import pickle
from pathlib import Path

import pytest

from hops import experiment


def test_tensor_without_dimensions_is_a_number() -> None:
    """A loss as it comes out of TensorFlow, and a variable, are kept as numbers."""

    def train() -> dict[str, object]:
        import tensorflow as tf

        return {"loss": tf.constant(1.5), "right": tf.constant(3), "weight": tf.Variable(2.5)}

    _, outputs = experiment.launch(train, tensorboard=False, verbose=False)

    assert {name: outputs[name] for name in ("loss", "right", "weight")} == {
        "loss": 1.5,
        "right": 3,
        "weight": 2.5,
    }


def test_larger_tensor_is_kept_as_a_pickle(project: Path) -> None:
    """A tensor that is no single number does not fail the trial: the outputs name its pickle."""

    def train() -> dict[str, object]:
        import tensorflow as tf

        return {"weights": tf.reshape(tf.range(6.0), (2, 3))}

    _, outputs = experiment.launch(train, tensorboard=False, verbose=False)
    weights = pickle.loads((project / outputs["weights"]).read_bytes())

    assert weights.numpy().tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]


@pytest.mark.parametrize("isolation", ["process", "worker", "spawn"])
def test_preloaded_tensorflow_computes(isolation: str) -> None:
    """With `preload`, trials find TensorFlow imported and can use it; `spawn` imports it again."""

    def train(size: int) -> dict[str, object]:
        import sys

        was_there = "tensorflow" in sys.modules
        import tensorflow as tf

        matrix = tf.Variable(tf.ones((size, size)))
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(matrix @ matrix)
        return {"was_there": was_there, "metric": tape.gradient(total, matrix)[0, 0]}

    best = experiment.grid_search(
        train,
        {"size": [500, 600]},
        workers=1,  # with threads of its own: the usual way in which a fork goes wrong
        isolation=isolation,
        preload=["tensorflow"],
        tensorboard=False,
        verbose=False,
    )

    assert best.best_outputs["metric"] == 1200
    assert best.best_outputs["was_there"] is (isolation != "spawn")
