import os

import pytest

from hops.core.variables import set_variables


def test_variables_are_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after an error, and where somebody has removed one meanwhile."""
    monkeypatch.setenv("OLD", "before")

    def fail() -> None:
        with set_variables({"OLD": "now", "NEW": "now", "GONE": "now"}):
            assert os.environ["OLD"] == os.environ["NEW"] == "now"
            del os.environ["GONE"]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert os.environ["OLD"] == "before"
    assert "NEW" not in os.environ
    assert "GONE" not in os.environ
