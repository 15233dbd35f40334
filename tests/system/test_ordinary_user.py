import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hops import experiment
from hops.hdfs import StoreNotWritableError


@pytest.fixture
def _ordinary_user() -> Iterator[None]:
    """Let the test run with the rights of a user who owns nothing."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.usefixtures("_ordinary_user")
def test_a_directory_of_somebody_else_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user whose project cannot be written reads which directory, and what to set."""
    directory = Path("/usr/hops")
    monkeypatch.setenv("HOPS_PROJECT_DIR", str(directory))

    with pytest.raises(StoreNotWritableError, match=str(directory)) as caught:
        experiment.launch(lambda: 1, engine="inline", verbose=False, tensorboard=False)

    assert "HOPS_PROJECT_DIR" in (caught.value.hint or "")
