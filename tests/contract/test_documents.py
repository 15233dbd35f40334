"""What the documents show runs, and where they point something is."""

import sys
from pathlib import Path

import pytest

from documents import blocks, python_of, relative_links
from repository import DOCUMENTS, MODULES, ROOT, tracked_files
from workshop import empty_environment, run

DOCTEST = ["-m", "doctest", "-o", "ELLIPSIS", "-o", "NORMALIZE_WHITESPACE"]
SUFFIX = {"program": ".py", "session": ".txt"}  # doctest would import a .py
EXAMPLES = [(each, kind) for each in DOCUMENTS for kind in SUFFIX if python_of(each, kind)]
DOCTEST_MODULE = (
    "import doctest, importlib, sys\n"
    "module = importlib.import_module(sys.argv[1])\n"
    "options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE\n"
    "failed, attempted = doctest.testmod(module, optionflags=options)\n"
    "sys.exit(bool(failed) or not attempted)\n"
)


def has_examples(module: str) -> bool:
    """Whether a docstring of *module* shows a Python prompt."""
    source = MODULES[module].folder / "src" / module.replace(".", "/")
    files = [source.with_suffix(".py"), source / "__init__.py"]
    return any(">>> " in file.read_text() for file in files if file.is_file())


@pytest.mark.parametrize(("document", "kind"), EXAMPLES, ids=str)
def test_examples_in_documents_run(document: Path, kind: str, tmp_path: Path) -> None:
    """The Python of a document runs, in its order; after a prompt stands what Python answers."""
    script = tmp_path / document.with_suffix(SUFFIX[kind]).name
    script.write_text(python_of(document, kind))
    runner = DOCTEST if kind == "session" else []

    run([sys.executable, *runner, script], cwd=tmp_path, env=empty_environment(tmp_path))


@pytest.mark.parametrize("module", [name for name in MODULES if has_examples(name)])
def test_examples_in_docstrings_are_true(module: str, tmp_path: Path) -> None:
    """What follows a prompt in a docstring is what Python answers."""
    command = [sys.executable, "-c", DOCTEST_MODULE, module]

    run(command, cwd=tmp_path, env=empty_environment(tmp_path))


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_block_says_its_language(document: Path) -> None:
    """No block escapes these tests by being called nothing, or Python by another name."""
    languages = {block.language for block in blocks(document)}

    assert languages.isdisjoint({"", "py", "python3", "Python", "{code-block} python"})


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_relative_links_lead_somewhere(document: Path) -> None:
    """Every file that a document links to is in the repository."""
    folder = (ROOT / document).parent
    known = {ROOT / parent for path in tracked_files() for parent in (path, *path.parents)}

    assert [
        link for link in relative_links(document) if (folder / link).resolve() not in known
    ] == []
