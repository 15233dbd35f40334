import ast
import itertools
from pathlib import Path

from hops.core import environment

BODY = ast.parse(Path(environment.__file__).read_text()).body


def test_each_constant_is_the_name_of_its_variable() -> None:
    """A constant spells the variable, so that reading one never needs a look at the value."""
    assert {name: getattr(environment, name) for name in environment.__all__} == {
        name: name for name in environment.__all__
    }


def test_every_constant_is_public() -> None:
    """`__all__` is the exact surface of the module, sorted."""
    constants = [name for name in vars(environment) if name.isupper()]

    assert environment.__all__ == sorted(constants)


def test_each_constant_is_explained_where_it_stands() -> None:
    """A docstring follows each constant, says its default and who sets it."""
    explained = {
        first.targets[0].id: second.value.value
        for first, second in itertools.pairwise(BODY)
        if isinstance(first, ast.Assign)
        and isinstance(first.targets[0], ast.Name)
        and isinstance(second, ast.Expr)
        and isinstance(second.value, ast.Constant)
    }

    assert sorted(explained) == environment.__all__
    for name, text in explained.items():
        assert isinstance(text, str)
        assert "Set by" in text, name
        assert "efault" in text, name
