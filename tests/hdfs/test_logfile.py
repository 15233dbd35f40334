import subprocess
import sys
from pathlib import Path

import pytest

from hops import hdfs

LINES = 400
PROCESSES = 4


def line(process: int, number: int) -> str:
    """Return a line that says who wrote it; some are longer than a pipe takes at once."""
    return f"{process} {number} " + "x" * (number * 37 % 9000)


def test_default_file(project: Path) -> None:
    """Outside a run, lines go to the log file of all experiments."""
    hdfs.log("one")
    hdfs.log("two\n")
    hdfs.log(3)
    assert (project / "Experiments/logfile").read_text() == "one\ntwo\n3\n"


@pytest.mark.parametrize("form", ["{}", "/{}", "{root}/{}", "hdfs://nn:1/Projects/demo/{}"])
def test_file_of_the_run(project: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """`EXEC_LOGFILE` says where, in every form of a path; it is read at every call."""
    monkeypatch.setenv("EXEC_LOGFILE", form.format("Experiments/run_1/logfile", root=project))
    hdfs.log("größe")
    monkeypatch.setenv("EXEC_LOGFILE", "")
    hdfs.log("outside")
    assert (project / "Experiments/run_1/logfile").read_text() == "größe\n"
    assert (project / "Experiments/logfile").read_text() == "outside\n"


def test_what_is_no_unicode(project: Path) -> None:
    """A line never fails for its characters, such as those of a broken file name."""
    hdfs.log("\udcff \ud800")
    assert (project / "Experiments/logfile").read_text() == "\\udcff \\ud800\n"


def test_many_processes_at_once(project: Path) -> None:
    """No line is lost or mixed with another, and each process's lines are in order."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from hops import hdfs\n"
        "from test_logfile import LINES, line\n"
        "for number in range(LINES): hdfs.log(line(int(sys.argv[2]), number))\n"
    )
    here = str(Path(__file__).parent)
    workers = [
        subprocess.Popen([sys.executable, "-c", program, here, str(process)])
        for process in range(PROCESSES)
    ]
    assert [worker.wait() for worker in workers] == [0] * PROCESSES
    lines = (project / "Experiments/logfile").read_text().splitlines()
    assert len(lines) == PROCESSES * LINES
    for process in range(PROCESSES):
        mine = [found for found in lines if found.startswith(f"{process} ")]
        assert mine == [line(process, number) for number in range(LINES)]
