"""One experiment, as the quick start of hops-util-py shows it, with the notebook that it is about.

Needs scikit-learn. The program puts `quickstart.ipynb`, which lies beside it, into the project; the
experiment keeps a copy of that with its results, whatever becomes of the notebook later.
"""

from pathlib import Path

from hops import experiment, hdfs


def minimal_mnist() -> dict[str, float]:
    """Train a network with two hidden layers to read handwritten digits."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    images, digits = load_digits(return_X_y=True)
    seen, unseen, seen_digits, unseen_digits = train_test_split(images / 16, digits, random_state=0)

    network = MLPClassifier([64, 32], learning_rate_init=0.01, random_state=0)
    network.fit(seen, seen_digits)
    print(f"trained for {network.n_iter_} epochs")
    return {"accuracy": network.score(unseen, unseen_digits), "loss": network.loss_}


notebook = hdfs.project_path() + "Jupyter/Experiment/quickstart.ipynb"
hdfs.dump(Path(__file__).with_name("quickstart.ipynb").read_bytes(), notebook)

logdir, outputs = experiment.launch(
    minimal_mnist,
    name="mnist estimator",
    description="A minimal mnist example with two hidden layers",
    versioned_resources=[notebook],
)
print(f"It reads {outputs['accuracy']:.1%} of unseen digits; all about it is in {logdir}")
