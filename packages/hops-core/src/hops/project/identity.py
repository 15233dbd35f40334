"""What a project is."""

import re
from dataclasses import dataclass
from enum import StrEnum

from hops.core import environment
from hops.core.errors import SettingsError

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]|_(?=[A-Za-z0-9.-]))*")
_LONGEST_NAME = 64


class Platform(StrEnum):
    """Where a project lives."""

    LAPTOP = "laptop"
    """A directory of this machine; no server."""

    HOPSWORKS = "hopsworks"
    """A Hopsworks cluster, seen from inside."""

    EXTERNAL = "external"
    """A Hopsworks cluster, seen from outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """One project, as `current()` found it.

    Raises:
        SettingsError: The name is not a safe directory name, or a laptop project's root is not an
            absolute directory.
    """

    name: str
    """At most 64 letters, digits and `-`, `.`, `_`; first a letter or digit. No `__`, and no `_`
    at the end: that separates project and login in `user`."""

    id: str
    """The number in the REST interface; `"0"` on a laptop."""

    user: str
    """`<project>__<login>`."""

    platform: Platform
    """Where the project lives."""

    root: str
    """On a laptop the absolute directory, without a slash at the end; it may not exist yet."""

    def __post_init__(self) -> None:
        """Refuse what would put files in a wrong place."""
        check_name(self.name)
        if self.platform is Platform.LAPTOP:
            _check_root(self.root)

    def environment(self) -> dict[str, str]:
        """Name the variables under which `current()` in another process gives this project.

        Pass them with the rest of the environment: `{**os.environ, **project.environment()}`.
        """
        return {
            environment.HOPS_PLATFORM: self.platform.value,
            environment.HOPS_PROJECT_DIR: self.root,
            environment.HOPSWORKS_PROJECT_NAME: self.name,
            environment.HOPSWORKS_USER: self.user.removeprefix(f"{self.name}__"),
        }


def check_name(name: str) -> None:
    """Refuse a name that is no safe directory name.

    Raises:
        SettingsError: It is none.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        message = (
            f"The project name {name!r} is not a safe directory name. Expected at most "
            f"{_LONGEST_NAME} letters (a to z), digits, '-', '.' and single '_', the first a "
            "letter or a digit, the last not '_'."
        )
        raise SettingsError(message, hint="choose a name such as 'demo' or 'churn_2026'")


def _check_root(root: str) -> None:
    if not root.startswith("/") or root.endswith("/"):
        message = f"The project directory {root!r} is not an absolute directory below '/'."
        hint = f"export {environment.HOPS_PROJECT_DIR}=/an/absolute/directory"
        raise SettingsError(message, hint=hint)
