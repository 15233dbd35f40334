"""How long the client waits, and how often it tries again."""

from dataclasses import dataclass, fields

from hops.core.errors import SettingsError


@dataclass(frozen=True)
class Limits:
    """How long a call may take, and how often it is sent again.

    Sent again are the methods that may be repeated without harm (GET, HEAD, PUT, DELETE), after
    a lost connection, silence, and the statuses 429, 502, 503 and 504; POST only where the server
    was not reached at all. The first repetition follows at once; the pause before each further one
    doubles. What the server asks for in `Retry-After` goes before that.
    """

    connect_s: float = 10
    """Seconds until the connection has to stand."""

    read_s: float = 60
    """The longest silence of the server in seconds; an answer that trickles may take longer."""

    retries: int = 3
    """How often a call is sent again."""

    pause_s: float = 0.5
    """Seconds: half the pause before the second repetition, and the most that is added to each
    pause by chance, so that many clients do not come back at one moment."""

    longest_pause_s: int = 30
    """Seconds that a pause lasts at most, also if the server asks for more."""

    def __post_init__(self) -> None:
        """Refuse what would mean no limit.

        Raises:
            SettingsError: A time limit is not above 0, or another value is below 0.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            limit = field.name in {"connect_s", "read_s"}
            if not (0 < value < float("inf") or (value == 0 and not limit)):
                expected = "above 0" if limit else "from 0 on"
                message = f"{field.name} is {value!r}. Expected a finite number {expected}."
                raise SettingsError(message)
