"""The search of `digits.py` with PyTorch; each trial draws its curves in TensorBoard.

Needs PyTorch, TensorBoard, and scikit-learn, which brings the images. Keep TensorFlow in another
environment: where it is installed, PyTorch's `SummaryWriter` imports it, and PyTorch's build for
GPUs then ends the process, because both carry the same compiler.
"""

from hops import experiment, tensorboard

# Trials are forked from a process that has imported these, and start at once instead of after many
# seconds. That is safe as long as they are only imported: code that computes with PyTorch starts
# threads, a fork does not have them, and the trial would hang. For such code: isolation="spawn".
PRELOAD = [
    "torch.utils.tensorboard",
    "torch._dynamo",  # what optimizers import
    "sklearn.datasets",
    "sklearn.model_selection",
]


def train(units: int, rate: float) -> dict[str, object]:
    """Train one network; return how well it reads images that it has not seen."""
    import torch
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    from torch import nn
    from torch.utils.tensorboard import SummaryWriter

    torch.manual_seed(0)
    images, digits = map(torch.tensor, load_digits(return_X_y=True))
    seen, unseen, seen_digits, unseen_digits = train_test_split(
        images.float() / 16, digits, random_state=0
    )

    network = nn.Sequential(nn.Linear(64, units), nn.ReLU(), nn.Linear(units, 10))
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)
    with SummaryWriter(tensorboard.logdir()) as writer:
        for epoch in range(1, 101):
            loss = nn.functional.cross_entropy(network(seen), seen_digits)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            right = network(unseen).argmax(dim=1) == unseen_digits
            writer.add_scalar("loss", loss, epoch)
            writer.add_scalar("accuracy", right.float().mean(), epoch)

    torch.save(network.state_dict(), "network.pt")
    return {"accuracy": right.float().mean(), "loss": loss.detach(), "network": "network.pt"}


best = experiment.grid_search(
    train,
    {"units": [16, 64], "rate": [0.01, 0.1]},
    optimization_key="accuracy",
    name="digits",
    description="One hidden layer, PyTorch",
    preload=PRELOAD,
)
print(f"The best reads {best.best_outputs['accuracy']:.1%} of unseen digits: {best.best_params}")
