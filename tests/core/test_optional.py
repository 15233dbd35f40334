from pathlib import Path

import pytest

from hops.core import MissingDependencyError, import_optional


def test_gives_the_module() -> None:
    """What is installed is imported, by its dotted name."""
    assert import_optional("xml.dom", install="nothing").__name__ == "xml.dom"


@pytest.mark.parametrize("module", ["hops_absent", "hops_absent.part"])
def test_says_what_to_install(module: str) -> None:
    """A package that is missing, or that a missing one would hold, names the extra."""
    with pytest.raises(MissingDependencyError, match=r"pip install 'hops-core\[gpu\]'") as raised:
        import_optional(module, install="hops-core[gpu]")

    assert "'hops_absent'" in str(raised.value)


def test_a_broken_package_raises_its_own_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A package that is there but misses another one is not reported as missing itself."""
    (tmp_path / "hops_broken.py").write_text("import hops_absent\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ModuleNotFoundError, match="hops_absent") as raised:
        import_optional("hops_broken", install="hops-core[gpu]")

    assert not isinstance(raised.value, MissingDependencyError)
