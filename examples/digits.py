"""Find the best of eight small neural networks that read handwritten digits.

Takes seconds, and needs scikit-learn, which brings the images. To search for a network of yours,
put your own function in the place of `train`, and the values to try in the place of those below.
"""

from hops import experiment


def train(units: int, rate: float, decay: float) -> dict[str, object]:
    """Train one network; return how well it reads images that it has not seen."""
    import numpy as np
    from sklearn.datasets import load_digits
    from sklearn.metrics import confusion_matrix
    from sklearn.model_selection import train_test_split
    from sklearn.neural_network import MLPClassifier

    images, digits = load_digits(return_X_y=True)
    seen, unseen, seen_digits, unseen_digits = train_test_split(images / 16, digits, random_state=0)

    network = MLPClassifier([units], learning_rate_init=rate, alpha=decay, random_state=0)
    for epoch in range(1, 21):
        network.partial_fit(seen, seen_digits, classes=range(10))
        if epoch % 10 == 0:
            print(f"epoch {epoch}: loss {network.loss_:.3f}")

    confusion = confusion_matrix(unseen_digits, network.predict(unseen))
    np.savetxt("confusion.csv", confusion, fmt="%d", delimiter=",")
    return {
        "accuracy": network.score(unseen, unseen_digits),
        "loss": network.loss_,
        "confusion": "confusion.csv",  # the name of a file: it is kept beside the numbers
    }


best = experiment.grid_search(
    train,
    {"units": [16, 64], "rate": [0.001, 0.01], "decay": [0.0001, 1.0]},
    optimization_key="accuracy",
    name="digits",
    description="One hidden layer, scikit-learn",
    preload=["sklearn.datasets", "sklearn.neural_network"],  # imported once, not in each trial
)
print(f"The best reads {best.best_outputs['accuracy']:.1%} of unseen digits: {best.best_params}")
