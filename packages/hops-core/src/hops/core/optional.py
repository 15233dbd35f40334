"""Importing packages that a user may have left out."""

import importlib
from types import ModuleType

from hops.core.errors import MissingDependencyError


def import_optional(module: str, *, install: str) -> ModuleType:
    """Import *module*, or say what to install.

    Args:
        module: Dotted name, as in an import statement.
        install: What `pip install` needs to be given, usually a distribution of ours with the
            extra that brings *module*: `hops-experiment[tensorboard]`.

    Raises:
        MissingDependencyError: *module*, or a package above it, is not installed. A package that
            is installed but fails to import raises its own error.

    Example:
        >>> import_optional("json", install="nothing").dumps(1)
        '1'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        message = f"The package {error.name!r} is needed here and is not installed."
        raise MissingDependencyError(message, hint=f"pip install '{install}'") from error
