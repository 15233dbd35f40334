"""The errors that hops packages raise on purpose.

::

    HopsError
    ├── SettingsError (ValueError)                  a setting or an argument is missing or wrong
    ├── NotOnClusterError (RuntimeError)            needs what only a Hopsworks cluster has
    ├── MissingDependencyError (ImportError)        an optional package is not installed
    ├── ServiceError                                the platform answered, and said no
    │   ├── AuthenticationError (PermissionError)
    │   ├── ResourceNotFoundError (LookupError)
    │   └── ConflictError
    └── ServiceUnreachableError (ConnectionError)   no answer

Each package adds its own leaves. The second base is what a caller would already catch.
Programming mistakes stay builtin: `TypeError` and `ValueError`.
"""


class HopsError(Exception):
    """The base of every error that a hops package raises on purpose."""

    hint: str | None
    """What to type or change next; `None` where nothing helps. Part of the message already."""

    def __init__(self, message: str = "", *, hint: str | None = None) -> None:
        """Say what is wrong, and how to mend it.

        The message is the one positional argument, so that every error survives pickling: Spark
        carries it from the executor to the driver.

        Args:
            message: What is wrong with which value, then what was expected.
            hint: Appended to the message after a blank line.
        """
        super().__init__(f"{message}\n\nHint: {hint}" if hint else message)
        self.hint = hint


class SettingsError(HopsError, ValueError):
    """A setting, an argument or an environment variable is missing or wrong."""


class NotOnClusterError(HopsError, RuntimeError):
    """The call needs what only a Hopsworks cluster has."""


class MissingDependencyError(HopsError, ImportError):
    """An optional package is not installed."""


class ServiceError(HopsError):
    """The platform answered, and said no."""

    status: int | None
    """The HTTP status of the answer; `None` where the answer did not come by HTTP."""

    code: int | None
    """The number by which Hopsworks tells its errors apart; `None` where the answer has none."""

    def __init__(
        self,
        message: str = "",
        *,
        hint: str | None = None,
        status: int | None = None,
        code: int | None = None,
    ) -> None:
        """Say what was refused, why, and how to mend it."""
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code


class AuthenticationError(ServiceError, PermissionError):
    """The platform does not know the caller, or does not let the caller do this."""


class ResourceNotFoundError(ServiceError, LookupError):
    """The platform has nothing by this name."""


class ConflictError(ServiceError):
    """The resource is in a state that forbids the call: it exists already, or it is in use."""


class ServiceUnreachableError(HopsError, ConnectionError):
    """The platform gave no answer in time."""
