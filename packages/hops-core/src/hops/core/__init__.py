"""What the hops packages share: errors, environment variables, optional imports, calls by REST.

Users meet its errors; everything else here is for the other hops packages.
"""

from hops.core.errors import (
    AuthenticationError,
    ConflictError,
    HopsError,
    MissingDependencyError,
    NotOnClusterError,
    ResourceNotFoundError,
    ServiceError,
    ServiceUnreachableError,
    SettingsError,
)
from hops.core.optional import import_optional

__all__ = [
    "AuthenticationError",
    "ConflictError",
    "HopsError",
    "MissingDependencyError",
    "NotOnClusterError",
    "ResourceNotFoundError",
    "ServiceError",
    "ServiceUnreachableError",
    "SettingsError",
    "import_optional",
]
