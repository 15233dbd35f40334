import re
import subprocess
import sys
import tomllib
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "packages" / "hops-core"
README = (PACKAGE / "README.md").read_text()


def test_readme_has_the_six_headings_on_one_screen() -> None:
    """Every package's README answers the same questions, in the same order."""
    assert re.findall(r"^## (.*)", README, re.MULTILINE) == [
        "What it is for",
        "Install",
        "Smallest example",
        "On the cluster",
        "What it does not do",
        "Links",
    ]
    assert len(README.splitlines()) <= 60


def test_readme_example_runs(home: Path) -> None:
    """The example prints what its comments say."""
    [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

    done = subprocess.run(
        [sys.executable, "-c", example], check=True, capture_output=True, text=True
    )

    assert done.stdout.splitlines() == [f"demo laptop {home}/hops/demo", "True", "0"]


def test_readme_links_lead_somewhere() -> None:
    """Each link is a file of the package."""
    links = re.findall(r"\]\(([^)]+)\)", README)

    assert links
    assert [link for link in links if not (PACKAGE / link).is_file()] == []


def test_changelog_is_about_the_version() -> None:
    """The newest heading of the changelog is the version of the distribution."""
    version = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]["version"]
    newest = re.search(r"^## \[(.*?)\]", (PACKAGE / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert newest
    assert newest[1] == version
