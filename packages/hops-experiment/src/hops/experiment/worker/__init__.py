"""Where trials run: the agent, the nursery that starts fresh processes, and the trial itself.

Uses the standard library, cloudpickle and hops only, so that it starts in milliseconds on any host.
"""

UNREACHABLE = 3
"""Exit code of an agent that cannot reach the driver from its host."""

UNFIT = 4
"""Exit code of an agent that the driver has refused, or that cannot run its trials."""
