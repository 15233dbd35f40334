"""What a run is asked to do."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from hops.experiment.settings import Direction, Settings

if TYPE_CHECKING:
    from hops.experiment.driver.search import Search
    from hops.hdfs.paths import Place


class Plan(NamedTuple):
    """One call of the API, checked."""

    function: Callable[..., Any]
    search: "Search"
    kind: str
    """`EXPERIMENT` for a launch, `PARALLEL_EXPERIMENTS` for a search."""
    name: str
    description: str | None
    space: Mapping[str, Any] | None
    """The values or bounds that are searched; `None` for a function without arguments."""
    metric_key: str | None
    """The output that a search optimises, or that a launch reports as the run's metric."""
    direction: Direction | None
    """`None` where nothing is optimised."""
    local_logdir: bool
    versioned_resources: tuple["Place", ...]
    """Files that exist."""
    settings: Settings

    @property
    def optimised_key(self) -> str | None:
        """The output that every trial must return a number for; `None` for a launch."""
        return self.metric_key if self.direction is not None else None
