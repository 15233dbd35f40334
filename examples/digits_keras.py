"""The search of `digits.py` with Keras; each trial draws its curves in TensorBoard.

Needs TensorFlow, TensorBoard, and scikit-learn, which brings the images.
"""

from hops import experiment, tensorboard

# Trials are forked from a process that has imported these, and start at once instead of after many
# seconds. That is safe as long as they are only imported: code that computes with TensorFlow starts
# threads, a fork does not have them, and the trial would hang. For such code: isolation="spawn".
PRELOAD = ["tensorflow", "sklearn.datasets", "sklearn.model_selection"]


def train(units: int, rate: float) -> dict[str, object]:
    """Train one network; return how well it reads images that it has not seen."""
    import tensorflow as tf
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    tf.keras.utils.set_random_seed(0)
    images, digits = load_digits(return_X_y=True)
    seen, unseen, seen_digits, unseen_digits = train_test_split(images / 16, digits, random_state=0)

    network = tf.keras.Sequential(
        [tf.keras.layers.Dense(units, activation="relu"), tf.keras.layers.Dense(10)]
    )
    network.compile(
        optimizer=tf.keras.optimizers.Adam(rate),
        loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    network.fit(
        seen,
        seen_digits,
        epochs=10,
        validation_data=(unseen, unseen_digits),
        callbacks=[tf.keras.callbacks.TensorBoard(tensorboard.logdir())],
        verbose=0,
    )

    loss, accuracy = network.evaluate(unseen, unseen_digits, verbose=0)
    network.save("network.keras")
    return {"accuracy": accuracy, "loss": loss, "network": "network.keras"}


best = experiment.grid_search(
    train,
    {"units": [16, 64], "rate": [0.001, 0.01]},
    optimization_key="accuracy",
    name="digits",
    description="One hidden layer, Keras",
    preload=PRELOAD,
)
print(f"The best reads {best.best_outputs['accuracy']:.1%} of unseen digits: {best.best_params}")
