"""Which project the program works in, and on which platform.

`current()` answers at every call anew. It is the project of the last `connect()`, else what the
environment says, else the laptop project `default` in `~/hops/default`.
"""

from hops.project.choice import connect, current
from hops.project.identity import Platform, Project

__all__ = ["Platform", "Project", "connect", "current"]
