"""What trials may do with PyTorch, and what becomes of the tensors that they return."""

import pickle
from pathlib import Path

import pytest

from hops import experiment


def test_tensor_without_dimensions_is_a_number() -> None:
    """A loss as it comes out of PyTorch, even one that wants gradients, is kept as a number."""

    def train() -> dict[str, object]:
        import torch

        loss = torch.tensor(1.5, requires_grad=True) * 2
        return {"loss": loss, "right": torch.tensor(3), "half": torch.tensor(0.5).bfloat16()}

    _, outputs = experiment.launch(train, tensorboard=False, verbose=False)

    assert {name: outputs[name] for name in ("loss", "right", "half")} == {
        "loss": 3.0,
        "right": 3,
        "half": 0.5,
    }


def test_search_compares_tensors() -> None:
    """A tensor without dimensions is a metric, as a number is."""

    def train(x: float) -> object:
        import torch

        return torch.tensor(x)

    best = experiment.grid_search(train, {"x": [1.0, 3.0, 2.0]}, tensorboard=False, verbose=False)

    assert best.best_params == {"x": 3.0}
    assert best.best_outputs["metric"] == 3.0


def test_larger_tensor_is_kept_as_a_pickle(project: Path) -> None:
    """A tensor that is no single number does not fail the trial: the outputs name its pickle."""
    import torch

    def train() -> dict[str, object]:
        return {"weights": torch.arange(6.0, requires_grad=True).reshape(2, 3)}

    _, outputs = experiment.launch(train, tensorboard=False, verbose=False)
    weights = pickle.loads((project / outputs["weights"]).read_bytes())

    assert torch.equal(weights, torch.arange(6.0).reshape(2, 3))
    assert weights.requires_grad


def test_without_gpus_there_is_none() -> None:
    """PyTorch's build for GPUs, and hops, see none where none may be used."""

    def train() -> dict[str, object]:
        import torch

        from hops import devices

        return {
            "available": torch.cuda.is_available(),
            "torch": torch.cuda.device_count(),
            "hops": devices.get_num_gpus(),
        }

    _, outputs = experiment.launch(train, tensorboard=False, verbose=False)

    assert {name: outputs[name] for name in ("available", "torch", "hops")} == {
        "available": False,
        "torch": 0,
        "hops": 0,
    }


@pytest.mark.parametrize("isolation", ["process", "worker", "spawn"])
def test_preloaded_pytorch_computes(isolation: str) -> None:
    """With `preload`, trials find PyTorch imported and can use it; `spawn` imports it again."""

    def train(size: int) -> dict[str, object]:
        import sys

        was_there = "torch" in sys.modules
        import torch

        matrix = torch.ones(size, size, requires_grad=True)
        (matrix @ matrix).sum().backward()
        return {"was_there": was_there, "metric": matrix.grad[0, 0]}

    best = experiment.grid_search(
        train,
        {"size": [500, 600]},
        workers=1,  # with threads of its own: the usual way in which a fork goes wrong
        isolation=isolation,
        preload=["torch"],
        tensorboard=False,
        verbose=False,
    )

    assert best.best_outputs["metric"] == 1200
    assert best.best_outputs["was_there"] is (isolation != "spawn")
