"""Finding the current project: the one of `connect()`, else what the environment says."""

import os
from contextvars import ContextVar
from pathlib import Path
from typing import NoReturn

from hops.core import environment
from hops.core.errors import SettingsError
from hops.project.identity import Platform, Project, check_name

PROJECTS = "~/hops"
"""The directory of all laptop projects but those that `HOPS_PROJECT_DIR` puts somewhere else."""

_connected: ContextVar[Project | None] = ContextVar("hops_project", default=None)


def current() -> Project:
    """Say which project this program works in.

    It is the project of the last `connect()` in this context, else what the environment says at
    this moment (the variables are described in `hops.core.environment`). Nothing is made: the root
    may not exist yet.

    Raises:
        SettingsError: A variable has a value that cannot be used, or asks for a platform that
            this release does not have.
    """
    project = _connected.get()
    if project is not None:
        return project
    _require_laptop()
    return _laptop_project(os.environ.get(environment.HOPSWORKS_PROJECT_NAME) or "default")


def connect(  # noqa: PLR0913, PLR0917 - the documented signature of hops-util-py
    project: str,
    host: str | None = None,
    port: int = 443,  # noqa: ARG001 - for a cluster
    scheme: str = "https",  # noqa: ARG001 - for a cluster
    hostname_verification: bool = True,  # noqa: ARG001, FBT001, FBT002 - for a cluster; positional
    api_key: str | None = None,  # noqa: ARG001 - for a cluster
    region_name: str = "default",  # noqa: ARG001 - for a cluster
    secrets_store: str = "local",  # noqa: ARG001 - for a cluster
    trust_store_path: str | None = None,  # noqa: ARG001 - for a cluster
) -> Project:
    """Choose the project that `current()` gives from here on.

    The choice holds in this context: in code that runs after the call in the same thread, and in
    asyncio tasks started after it. A new thread starts without it, unless it is run with
    `contextvars.copy_context()`; a new process needs `Project.environment()`. The environment of
    this process stays as it is.

    Without *host*, the environment says on which platform. On a laptop, `HOPS_PROJECT_DIR` is the
    root of the project that `HOPSWORKS_PROJECT_NAME` names, and of *project* if that is not set;
    any other project is in `~/hops/<project>`, so that two projects never share a directory that
    was given to one of them.

    Args:
        project: Its name.
        host: Host name of a Hopsworks cluster. `None`: no cluster is contacted, and nothing that
            follows is used. This release has no platform but the laptop, and refuses a host.
        port: Port of the cluster's REST interface.
        scheme: `https` or `http`.
        hostname_verification: Whether the certificate has to name the host.
        api_key: The key itself, or a file with it. `None`: `HOPSWORKS_API_KEY`.
        region_name: Region of the secrets store.
        secrets_store: Where the key is kept: `local`, `parameterstore` or `secretsmanager`.
        trust_store_path: PEM file with the authorities to trust. `None`: those of the system.

    Returns:
        The project; its directory is made by whoever writes the first file.

    Raises:
        SettingsError: The name is not a safe directory name, a variable has a value that cannot
            be used, or a cluster is asked for.
    """
    if host is not None:
        _refuse(Platform.EXTERNAL, f"host={host!r} is given", "connect(project) without a host")
    _require_laptop()
    chosen = _laptop_project(project)
    _connected.set(chosen)
    return chosen


def find_root(name: str) -> str:
    """Return the root of the laptop project *name*, seen from the current project.

    `HOPS_PROJECT_DIR` without `HOPSWORKS_PROJECT_NAME` is the current project's alone: another one
    is in `~/hops/<project>`, so that no program takes its own files for those of the other.

    Raises:
        SettingsError: The name is not a safe directory name, or a variable cannot be used.
    """
    here = current()
    if name == here.name:
        return here.root
    check_name(name)
    return _laptop_root(name, owner=os.environ.get(environment.HOPSWORKS_PROJECT_NAME))


def _require_laptop() -> None:
    platform, sign = _find_platform()
    if platform is not Platform.LAPTOP:
        _refuse(platform, sign, f"export {environment.HOPS_PLATFORM}=laptop")


def _refuse(platform: Platform, sign: str, way_out: str) -> NoReturn:
    message = (
        f"The project is asked for on the platform '{platform}' ({sign}), and this release of "
        "hops-core has the platform 'laptop' only."
    )
    hint = f"{way_out} works in a directory of this machine; later releases bring the clusters"
    raise SettingsError(message, hint=hint)


def _find_platform() -> tuple[Platform, str]:
    """Return the platform that the environment asks for, and by which sign."""
    override = os.environ.get(environment.HOPS_PLATFORM)
    if override:
        return _parse_platform(override), f"{environment.HOPS_PLATFORM} is set"
    for platform, signs in (
        (Platform.HOPSWORKS, (environment.REST_ENDPOINT, environment.HOPSWORKS_PROJECT_ID)),
        (Platform.EXTERNAL, (environment.HOPSWORKS_HOST, environment.HOPSWORKS_API_KEY)),
    ):
        if all(os.environ.get(sign) for sign in signs):
            return platform, f"{' and '.join(signs)} are set"
    return Platform.LAPTOP, "no variable names a cluster"


def _parse_platform(value: str) -> Platform:
    try:
        return Platform(value)
    except ValueError:
        valid = ", ".join(repr(platform.value) for platform in Platform)
        message = f"{environment.HOPS_PLATFORM} is {value!r}. Expected one of {valid}."
        raise SettingsError(message, hint=f"export {environment.HOPS_PLATFORM}=laptop") from None


def _laptop_project(name: str) -> Project:
    return Project(
        name=name,
        id="0",
        user=f"{name}__{_login()}",
        platform=Platform.LAPTOP,
        root=_laptop_root(name, os.environ.get(environment.HOPSWORKS_PROJECT_NAME) or name),
    )


def _laptop_root(name: str, owner: str | None) -> str:
    """Return where *name* is, if `HOPS_PROJECT_DIR` is the directory of *owner*."""
    given = os.environ.get(environment.HOPS_PROJECT_DIR)
    return _absolute(given if given and owner == name else f"{PROJECTS}/{name}")


def _absolute(directory: str) -> str:
    """Expand the home directory; a relative path would move with every `os.chdir()`."""
    try:
        path = Path(directory).expanduser()
    except RuntimeError:
        message = f"The project directory {directory!r} needs a home directory, and there is none."
        hint = f"export {environment.HOPS_PROJECT_DIR}=/an/absolute/directory"
        raise SettingsError(message, hint=hint) from None
    if not path.is_absolute():
        _refuse_relative(directory, path)
    if ".." in path.parts:
        path = path.resolve()  # after a symbolic link, ".." is not what the letters say
    return f"/{str(path).lstrip('/')}"


def _refuse_relative(directory: str, path: Path) -> NoReturn:
    if directory.startswith("~"):
        message = f"The home directory is relative, so that {directory!r} is {str(path)!r}. "
        message += "Expected an absolute path."
        raise SettingsError(message, hint="export HOME=/an/absolute/directory")
    message = f"The project directory {directory!r} is relative. Expected an absolute path."
    hint = f'export {environment.HOPS_PROJECT_DIR}="$PWD/{directory}"'
    raise SettingsError(message, hint=hint)


def _login() -> str:
    """Return a name for the person; the number of the user where the system knows no name."""
    import getpass

    given = os.environ.get(environment.HOPSWORKS_USER)
    if given:
        return given
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without an entry in passwd: OSError from 3.13 on
        return f"uid{os.getuid()}"
