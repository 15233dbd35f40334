import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "packages/hops-hdfs/README.md"


def test_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
    """The example in the README runs as it stands, and does what it says."""
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(example, str(README), "exec"), {})  # noqa: S102 - our own README
    assert (project / "Backup/iris.csv").read_text() == "sepal,petal\n5.1,1.4\n"
    assert (project / "Experiments/logfile").read_text() == "done\n"


def test_headings() -> None:
    """The README has the six headings that every package has, on one screen."""
    lines = README.read_text(encoding="utf-8").splitlines()
    assert [line.removeprefix("## ") for line in lines if line.startswith("## ")] == [
        "What it is for",
        "Install",
        "Smallest example",
        "On the cluster",
        "What it does not do",
        "Links",
    ]
    assert len(lines) < 70
