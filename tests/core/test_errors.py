import pytest

from hops import core
from hops.core import HopsError

TREE = {
    core.SettingsError: ValueError,
    core.NotOnClusterError: RuntimeError,
    core.MissingDependencyError: ImportError,
    core.ServiceError: HopsError,
    core.AuthenticationError: PermissionError,
    core.ResourceNotFoundError: LookupError,
    core.ConflictError: core.ServiceError,
    core.ServiceUnreachableError: ConnectionError,
}

each_error = pytest.mark.parametrize("kind", [HopsError, *TREE])


def test_the_tree_is_complete() -> None:
    """Every error that the package exports is in the table of this test."""
    exported = {getattr(core, name) for name in core.__all__ if name.endswith("Error")}

    assert exported == {HopsError, *TREE}


@pytest.mark.parametrize(("kind", "builtin"), TREE.items())
def test_each_is_what_a_caller_already_catches(
    kind: type[HopsError], builtin: type[Exception]
) -> None:
    """Each error is a `HopsError` and has its second base."""
    assert issubclass(kind, HopsError)
    assert issubclass(kind, builtin)


@each_error
def test_the_hint_ends_the_message(kind: type[HopsError]) -> None:
    """The hint follows the message after a blank line; without one, the message stands alone."""
    assert str(kind("wrong", hint="type y")) == "wrong\n\nHint: type y"
    assert str(kind("wrong")) == "wrong"
    assert kind("wrong").hint is None
