import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from hops import experiment
from hops.experiment import TrialError
from hops.hdfs import StoreFullError

QUIET: dict[str, Any] = {"verbose": False, "tensorboard": False}


def fill(path: Path) -> None:
    """Write until the disk is full."""
    block = b"x" * 4096
    with path.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        file.writelines(block for _ in itertools.count())


def test_a_full_disk_is_an_error_before_any_work(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project on a full disk is refused with a hint, and the function is not called."""
    monkeypatch.setenv("HOPS_PROJECT_DIR", str(small_disk / "project"))
    fill(small_disk / "ballast")
    called = small_disk.parent / "called"

    with pytest.raises(StoreFullError) as caught:
        experiment.launch(called.touch, **QUIET)

    assert caught.value.hint
    assert not called.exists()


def test_a_trial_that_fills_the_disk_fails_alone(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trial that finds the disk full fails and says so; what had finished is kept."""
    monkeypatch.setenv("HOPS_PROJECT_DIR", str(small_disk / "project"))
    ballast = small_disk / "ballast"

    def train(a: int) -> int:
        if a == 1:
            fill(ballast)
            try:
                Path("model").write_bytes(b"x" * 100_000)
            finally:
                ballast.unlink()  # somebody makes room
        return a

    result = experiment.grid_search(train, {"a": [0, 1, 2]}, workers=1, **QUIET)

    assert result.best_params == {"a": 2}
    assert [trial.metric for trial in result.trials] == [0.0, None, 2.0]
    assert "No space left on device" in (result.trials[1].error or "")
    assert json.loads(Path(result.logdir, "a=0/.outputs.json").read_text())["metric"] == 0


def test_if_the_disk_stays_full_the_error_says_so(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing can be written any more, the run ends with an error about the disk."""
    monkeypatch.setenv("HOPS_PROJECT_DIR", str(small_disk / "project"))

    with pytest.raises((StoreFullError, TrialError), match=r"[Ff]ull|No space left"):
        experiment.launch(lambda: fill(small_disk / "ballast"), **QUIET)
