"""What several contract tests need once per run."""

from collections.abc import Mapping

import pytest

from repository import DISTRIBUTIONS
from workshop import Built, build


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Built]:
    """All distributions of this checkout, by name."""
    target = tmp_path_factory.mktemp("built")
    return {each.name: build(each.folder, target / each.name) for each in DISTRIBUTIONS}
