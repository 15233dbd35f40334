"""What must not be in any tracked file, and what the files around the packages promise."""

import os
import re
import tomllib
from pathlib import Path

import pytest

from documents import blocks
from repository import DISTRIBUTIONS, ROOT, Distribution, tracked_files
from workshop import run

# Written so that this file does not match itself. Ada, x and you are made-up users.
MACHINE = re.compile(r"(?<![\w.~$}-])/(?:home/(?!(?:ada|x|you)\b)\w|(?:root|work|Users)/)[\w.-]*")
REGISTRY = re.compile(
    r"py[p]i\.(?:org|python)|pythonh[o]sted|repo1?\.m[a]ven|registry\.n[p]mjs|conda\.a[n]aconda"
    r"|download\.p[y]torch"
)
HEADING = re.compile(r"^## \[(\d+)\.(\d+)\.(\d+)\] - (unreleased|\d{4}-\d\d-\d\d)$")
SECTIONS = ["Removed", "Deprecated", "Added", "Changed", "Fixed", "Security"]

each_distribution = pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=str)


def changelog(distribution: Distribution) -> list[str]:
    """Return the lines of its changelog."""
    return (distribution.folder / "CHANGELOG.md").read_text().splitlines()


@pytest.mark.parametrize("pattern", [MACHINE, REGISTRY], ids=["machine", "registry"])
def test_no_file_names_a_machine(pattern: re.Pattern[str]) -> None:
    """No path of a developer's machine and no host of a registry: both are the user's to choose."""
    found = [
        f"{path}: {match[0]}"
        for path in tracked_files()
        if (match := pattern.search((ROOT / path).read_text(errors="replace")))
    ]

    assert found == []


def test_readme_is_complete() -> None:
    """No placeholder of a measured number is left in it."""
    assert re.findall(r"FIGURE_\w+", (ROOT / "README.md").read_text()) == []


def test_every_command_is_explained() -> None:
    """CONTRIBUTING says what each command of `hatch.toml` is for."""
    scripts = tomllib.loads((ROOT / "hatch.toml").read_text())["envs"]["default"]["scripts"]
    text = (ROOT / "CONTRIBUTING.md").read_text()

    assert [name for name in scripts if f"| `hatch run {name}` |" not in text] == []


@each_distribution
def test_changelog_begins_with_this_version(distribution: Distribution) -> None:
    """The newest heading is the version of `pyproject.toml`; older ones follow in order."""
    headings = [line for line in changelog(distribution) if line.startswith("## ")]
    found = [HEADING.match(line) for line in headings]
    versions = [tuple(map(int, match.group(1, 2, 3))) for match in found if match]

    assert all(found), headings
    assert versions[0] == tuple(map(int, distribution.version.split(".")))
    assert versions == sorted(set(versions), reverse=True)


@each_distribution
def test_changelog_has_the_known_sections(distribution: Distribution) -> None:
    """The sections of each version are those of Keep a Changelog, in one order, each with text."""
    order: list[int] = []
    for line in changelog(distribution):
        if line.startswith("## "):
            order = []
        elif line.startswith("### "):
            order.append(SECTIONS.index(line.removeprefix("### ")))
            assert order == sorted(set(order)), line


@each_distribution
def test_distribution_has_its_papers(distribution: Distribution) -> None:
    """Each has a README with the six headings, and its own copy of the licence."""
    readme = (distribution.folder / "README.md").read_text()
    headings = re.findall(r"^## (.+)$", readme, re.MULTILINE)

    assert readme.startswith(f"# {distribution.name}\n")
    assert headings == [
        "What it is for",
        "Install",
        "Smallest example",
        "On the cluster",
        "What it does not do",
        "Links",
    ]
    assert (distribution.folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_ci_runs_what_the_readme_says() -> None:
    """`.ci/run` is a script with the README's test command, word for word, then `system`."""
    script = ROOT / ".ci/run"
    lines = [line.strip() for line in script.read_text().splitlines()]
    shown = [line for block in blocks(Path("README.md")) for line in block.lines]
    [command] = [line for line in shown if line.endswith("hatch run test")]

    assert os.access(script, os.X_OK)
    assert lines.index(command) < lines.index("hatch run system")
    run(["bash", "-n", script], cwd=ROOT)
