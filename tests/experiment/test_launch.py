import functools
import json
import os
import pickle
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from hops import experiment, hdfs
from hops.experiment import LaunchResult

QUIET: dict[str, Any] = {"verbose": False, "tensorboard": False}


def tree(directory: str | Path) -> set[str]:
    """Return the files below *directory*, without TensorBoard's."""
    root = Path(directory)
    files = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    return {name for name in files if "tfevents" not in name}


def test_the_function_runs_once_and_its_number_is_the_metric() -> None:
    """A returned number is the output `metric`, and the run's directory has the legacy files."""
    logdir, outputs = experiment.launch(lambda: 0.5, **QUIET)

    run_id = Path(logdir).name
    assert outputs == {"metric": 0.5, "log": f"Experiments/{run_id}/output.log"}
    assert tree(logdir) == {".experiment.json", ".outputs.json", ".summary.json", "output.log"}
    assert json.loads(Path(logdir, ".outputs.json").read_text()) == outputs
    assert json.loads(Path(logdir, ".summary.json").read_text()) == {
        "combinations": [{"parameters": None, "outputs": outputs}]
    }


def test_runs_of_one_program_are_numbered(project: Path) -> None:
    """Runs share the application's id and count up, inside the project's Experiments."""
    first, second = (experiment.launch(lambda: 1, **QUIET)[0] for _ in range(2))

    pattern = r"(local-\d{8}-\d{6}-[0-9a-f]{4})_(\d+)"
    names = [re.fullmatch(pattern, Path(logdir).name) for logdir in (first, second)]
    assert names[0] is not None
    assert names[1] is not None
    assert names[0][1] == names[1][1]
    assert int(names[1][2]) == int(names[0][2]) + 1
    assert Path(first).parent == project / "Experiments"


def test_nothing_may_be_returned() -> None:
    """A function without a result has the metric null."""
    logdir, outputs = experiment.launch(lambda: None, **QUIET)

    assert outputs["metric"] is None
    assert b"null" in Path(logdir, ".outputs.json").read_bytes()


def test_what_is_known_of_the_run_is_recorded() -> None:
    """Name, description, state, function, metric and versions are in the run's record."""

    def train() -> dict[str, float]:
        return {"accuracy": 0.9, "loss": 0.1}

    logdir, _ = experiment.launch(
        train, name="mnist", description="two layers", metric_key="accuracy", **QUIET
    )

    facts = json.loads(Path(logdir, ".experiment.json").read_text())
    assert facts["format"] == 1
    assert facts["id"] == Path(logdir).name
    assert (facts["name"], facts["description"]) == ("mnist", "two layers")
    assert (facts["state"], facts["experimentType"]) == ("FINISHED", "EXPERIMENT")
    assert (facts["function"], facts["metric"]) == ("train", "0.9")
    assert facts["projectName"] == "default"
    assert facts["versions"]["python"] == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert facts["duration"] >= 0


def test_a_single_number_is_the_metric_of_the_run() -> None:
    """Without a metric key, the only output is the metric; of several, none is."""
    one, _ = experiment.launch(lambda: 2, **QUIET)
    several, _ = experiment.launch(lambda: {"a": 1, "b": 2}, **QUIET)

    assert json.loads(Path(one, ".experiment.json").read_text())["metric"] == "2"
    assert json.loads(Path(several, ".experiment.json").read_text())["metric"] is None


def test_args_dict_launches_once_per_index() -> None:
    """The first values make the first trial, the second values the second; outputs are in order."""
    result = experiment.launch(lambda a, b: a * b, {"a": [1, 2, 4], "b": [5, 3, 1]}, **QUIET)

    assert [outputs["metric"] for outputs in result.outputs] == [5, 6, 4]
    names = ["a=1&b=5", "a=2&b=3", "a=4&b=1"]
    files = {".hparams.json", ".outputs.json", "output.log"}
    expected = {f"{name}/{file}" for name in names for file in files}
    assert tree(result.logdir) == expected | {".experiment.json", ".summary.json"}
    hparams = json.loads(Path(result.logdir, "a=1&b=5/.hparams.json").read_text())
    assert hparams == {"a": 1, "b": 5}


def test_args_dict_with_one_index_gives_a_list() -> None:
    """The shape of the result does not depend on how many values there are."""
    _, outputs = experiment.launch(lambda a: a, {"a": [7]}, **QUIET)

    assert [output["metric"] for output in outputs] == [7]


def test_one_failing_trial_leaves_its_place_empty() -> None:
    """A trial that fails has `None` among the outputs, and its error among the trials."""

    def train(a: int) -> float:
        return 1 / a

    result = experiment.launch(train, {"a": [1, 0, 2]}, **QUIET)

    assert [outputs and outputs["metric"] for outputs in result.outputs] == [1.0, None, 0.5]
    assert result.trials[1].error == "ZeroDivisionError: division by zero"
    combinations = json.loads(Path(result.logdir, ".summary.json").read_text())["combinations"]
    assert combinations[1]["outputs"] is None
    assert combinations[1]["error"] == "ZeroDivisionError: division by zero"


def test_the_result_is_the_legacy_tuple_and_can_be_pickled() -> None:
    """The result unpacks, compares as a tuple, and keeps its trials through pickling."""
    result = experiment.launch(lambda: 1, **QUIET)
    copy = pickle.loads(pickle.dumps(result))

    assert result == (result.logdir, result.outputs)
    assert isinstance(copy, LaunchResult)
    assert copy.trials == result.trials


FACTOR = 3


class Scaled:
    """A callable object."""

    def __init__(self, factor: int) -> None:
        """Keep the factor."""
        self.factor = factor

    def __call__(self, a: int, *, b: int = 2) -> int:
        """Scale."""
        return self.factor * a * b

    def method(self, a: int) -> int:
        """Scale."""
        return self.factor * a


def positional(a: int, b: int = 10, /, *, c: int = 100) -> int:
    """Take arguments of every kind."""
    return a + b + c


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda a: a * FACTOR, 6),
        (functools.partial(lambda a, b: a * b, b=5), 10),
        (Scaled(4), 16),
        (Scaled(4).method, 8),
        (positional, 112),
        (lambda **values: values["a"], 2),
        (abs, 2),
    ],
    ids=["lambda", "partial", "object", "method", "positional", "kwargs", "builtin"],
)
def test_any_callable_can_be_launched(function: Any, expected: int) -> None:  # noqa: ANN401
    """Lambdas, partials, objects, methods, defaults, positional and keyword-only arguments work."""
    name = "x" if function is abs else "a"
    _, outputs = experiment.launch(function, {name: [2]}, engine=None, **QUIET)

    assert outputs[0]["metric"] == expected


def test_a_closure_takes_its_variables_along() -> None:
    """A function over local variables runs with their values."""
    factor = 21

    assert experiment.launch(lambda: factor * 2, **QUIET).outputs["metric"] == 42


def test_values_of_any_type_arrive_as_they_are() -> None:
    """Tuples, classes and functions are not changed on their way to the trial."""

    def train(shape: tuple[int, ...], kind: type, f: Any) -> str:  # noqa: ANN401
        return f"{shape!r} {kind.__name__} {f(1)}"

    values: dict[str, Any] = {"shape": [(32, 16)], "kind": [dict], "f": [lambda x: x + 1]}
    result = experiment.launch(train, values, **QUIET)

    assert result.outputs[0]["metric"] == "(32, 16) dict 2"
    assert Path(result.logdir, "shape=(32,%2016)&kind=dict&f=%3Clambda%3E").is_dir()


def run_program(directory: Path, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run *text* as a program of its own in *directory*."""
    program = directory / "program.py"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(textwrap.dedent(text))
    return subprocess.run(
        [sys.executable, str(program)],
        cwd=directory,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_modules_beside_the_script_are_found(tmp_path: Path) -> None:
    """Modules beside the script work, imported at the top or in the function, with their state."""
    code = tmp_path / "code"
    (code / "package").mkdir(parents=True)
    (code / "beside.py").write_text("FACTOR = 2\ndef times(x): return x * FACTOR\n")
    (code / "late.py").write_text("def plus(x): return x + 1\n")
    (code / "package/__init__.py").write_text("")
    (code / "package/part.py").write_text(
        "from package import other\ndef f(x): return other.g(x)\n"
    )
    (code / "package/other.py").write_text("def g(x): return x * 100\n")
    program = """
        import beside
        from package.part import f
        from hops import experiment

        beside.FACTOR = 3  # what the program changed counts

        def train(a):
            import late
            return beside.times(a) + late.plus(a) + f(a)

        _, outputs = experiment.launch(train, {"a": [1]}, tensorboard=False)
        print("result", outputs[0]["metric"])
        """

    done = run_program(code, program)

    assert "result 105" in done.stdout, done.stderr


def test_a_module_that_cannot_travel_is_imported(tmp_path: Path) -> None:
    """A module beside the script with a lock in it is imported by the trial."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "locked.py").write_text(
        "import threading\nLOCK = threading.Lock()\ndef f():\n    with LOCK:\n        return 5\n"
    )
    program = """
        import locked
        from hops import experiment

        print("result", experiment.launch(lambda: locked.f(), tensorboard=False).outputs["metric"])
        """

    done = run_program(code, program)

    assert "result 5" in done.stdout, done.stderr


def test_the_first_and_last_lines_say_where_the_run_is(tmp_path: Path) -> None:
    """The first line names platform, engine and directory, the last the path."""
    program = """
        from hops import experiment
        experiment.launch(lambda: print("hello") or 1, tensorboard=False)
        """

    done = run_program(tmp_path, program)

    lines = done.stdout.splitlines()
    assert re.fullmatch(
        r"hops: laptop, local engine \(1 worker\), /.*/Experiments/local-.*", lines[0]
    )
    assert lines[-1] == lines[0].rpartition(" ")[2]
    assert any("hello" in line for line in lines)
    assert done.stderr == ""


def test_all_that_a_trial_writes_is_in_its_log(capfd: pytest.CaptureFixture[str]) -> None:
    """Output of Python, of descriptors, of C and of subprocesses is in the log, and is shown."""

    def train() -> None:
        import ctypes
        import logging

        print("from print")
        print("from stderr", file=sys.stderr)
        logging.getLogger().warning("from logging")
        os.write(1, b"from descriptor 1\n")
        subprocess.run(["/bin/sh", "-c", "echo from a subprocess >&2"], check=True)
        libc = ctypes.CDLL(None)
        libc.printf(b"from C\n")
        libc.fflush(None)

    logdir, _ = experiment.launch(train, tensorboard=False)

    log = Path(logdir, "output.log").read_text()
    shown = capfd.readouterr().out
    for writer in ("print", "stderr", "logging", "descriptor 1", "a subprocess", "C"):
        assert re.search(rf"^\d{{4}}-\d\d-\d\dT\S+: .*from {writer}$", log, re.MULTILINE), writer
        assert f"from {writer}\n" in shown, writer
    assert log.rstrip().endswith("Finished running task")


def test_ten_thousand_lines_are_kept_and_not_all_shown(capfd: pytest.CaptureFixture[str]) -> None:
    """The log has every line; what is shown is limited, and says how many more there are."""

    def train() -> None:
        for number in range(10_000):
            print("line", number)

    logdir, _ = experiment.launch(train, tensorboard=False)

    log = Path(logdir, "output.log").read_text().splitlines()
    assert [line.partition(": ")[2] for line in log[:-1]] == [f"line {n}" for n in range(10_000)]
    shown = capfd.readouterr().out
    lines_shown = len(re.findall(r"line \d+$", shown, re.MULTILINE))
    skipped = [
        int(count.replace(",", "")) for count in re.findall(r"… ([\d,]+) lines? skipped", shown)
    ]
    assert 0 < lines_shown < 5000
    assert lines_shown + sum(skipped) == 10_000


def test_a_returned_file_is_copied_beside_the_outputs(tmp_path: Path) -> None:
    """A returned file is kept in the run's directory, and the user's own file stays."""
    own = tmp_path / "own.txt"
    own.write_text("mine")

    def train() -> dict[str, Any]:
        Path("plot.png").write_bytes(b"png")
        Path("model").mkdir()
        Path("model/weights").write_text("w")
        return {"plot": "plot.png", "own": str(own), "model": "model", "text": "a/b", "seven": 7}

    logdir, outputs = experiment.launch(train, **QUIET)

    place = f"Experiments/{Path(logdir).name}"
    assert outputs["plot"] == f"{place}/plot.png"
    assert outputs["own"] == f"{place}/own.txt"
    assert outputs["model"] == f"{place}/model"
    assert (outputs["text"], outputs["seven"]) == ("a/b", 7)
    assert hdfs.load(outputs["plot"]) == b"png"
    assert hdfs.load(outputs["own"]) == b"mine"
    assert hdfs.load(f"{outputs['model']}/weights") == b"w"
    assert own.read_text() == "mine"


def test_files_left_in_the_working_directory_are_kept() -> None:
    """What the function leaves behind without returning it is in `work`."""

    def train() -> None:
        Path("left.txt").write_text("x")

    logdir, _ = experiment.launch(train, **QUIET)

    assert Path(logdir, "work/left.txt").read_text() == "x"


def test_what_json_cannot_hold_is_kept_as_a_pickle() -> None:
    """A value without a JSON form is pickled beside the outputs; NaN stays NaN, in valid JSON."""
    logdir, outputs = experiment.launch(
        lambda: {"seen": {1, 2}, "complex": 1j, "nan": float("nan"), "inf": -float("inf")}, **QUIET
    )

    assert pickle.loads(hdfs.load(outputs["seen"])) == {1, 2}
    assert pickle.loads(hdfs.load(outputs["complex"])) == 1j
    assert outputs["nan"] != outputs["nan"]
    assert outputs["inf"] == -float("inf")

    def refuse(name: str) -> None:
        raise AssertionError(name)

    stored = json.loads(Path(logdir, ".outputs.json").read_text(), parse_constant=refuse)
    assert (stored["nan"], stored["inf"]) == ("NaN", "-Infinity")


def test_versioned_resources_are_copied_into_the_run() -> None:
    """The notebook of the seed is copied before the run, and named in its record."""
    notebook = hdfs.project_path() + "Jupyter/Experiment/nb.ipynb"
    hdfs.dump("{}", notebook)

    logdir, _ = experiment.launch(lambda: 1, versioned_resources=[notebook], **QUIET)

    assert Path(logdir, "nb.ipynb").read_text() == "{}"
    facts = json.loads(Path(logdir, ".experiment.json").read_text())
    assert facts["versionedResources"] == [f"Experiments/{Path(logdir).name}/nb.ipynb"]


def test_resources_and_returned_files_may_have_one_name() -> None:
    """Resources of one name, and a returned file that is named like them, are all kept."""
    for place in ("a", "b"):
        hdfs.dump(place, f"{place}/nb.ipynb")

    def train() -> str:
        Path("nb.ipynb").write_text("returned")
        return "nb.ipynb"

    logdir, outputs = experiment.launch(
        train, versioned_resources=["a/nb.ipynb", "b/nb.ipynb"], **QUIET
    )

    kept = {path.read_text() for path in Path(logdir).glob("nb*.ipynb")}
    assert kept == {"a", "b", "returned"}
    assert hdfs.load(outputs["metric"]) == b"returned"


def test_a_resource_with_a_name_of_ours_is_kept_beside() -> None:
    """A resource that is called like a file of the run gets another name, and loses nothing."""
    hdfs.dump("mine", "output.log")

    logdir, _ = experiment.launch(lambda: 1, versioned_resources=["output.log"], **QUIET)

    assert Path(logdir, "output_.log").read_text() == "mine"
    assert "Finished running task" in Path(logdir, "output.log").read_text()


def test_a_removed_working_directory_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program whose current directory somebody has removed can still launch."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    assert experiment.launch(lambda: 1, **QUIET).outputs["metric"] == 1


def test_hdfs_log_writes_to_the_log_of_the_run() -> None:
    """`hdfs.log` inside a trial adds to the run's logfile, from every trial."""
    result = experiment.launch(lambda a: hdfs.log(f"hello {a}"), {"a": [1, 2]}, **QUIET)

    lines = Path(result.logdir, "logfile").read_text().splitlines()
    assert sorted(line.rpartition("hello ")[2] for line in lines) == ["1", "2"]


def test_the_trial_knows_where_it_is() -> None:
    """The function sees the same project, the run's id, and a directory for TensorBoard."""

    def train() -> dict[str, Any]:
        from hops import tensorboard

        Path(tensorboard.logdir() or "", "events.out.tfevents.1").write_text("e")
        return {"id": os.environ["ML_ID"], "project": hdfs.project_path()}

    logdir, outputs = experiment.launch(train, **QUIET)

    assert outputs["id"] == Path(logdir).name
    assert outputs["project"] == hdfs.project_path()
    assert Path(logdir, "events.out.tfevents.1").read_text() == "e"


def test_a_local_logdir_is_moved_into_the_project() -> None:
    """With `local_logdir`, TensorBoard's directory is below the working directory until the end."""

    def train() -> str:
        from hops import tensorboard

        logdir = Path(tensorboard.logdir() or "")
        (logdir / "train").mkdir()
        (logdir / "train/events").write_text("e")
        return f"below {logdir.relative_to(Path.cwd())}"

    logdir, outputs = experiment.launch(train, local_logdir=True, **QUIET)

    assert outputs["metric"] == "below local_logdir"
    assert Path(logdir, "train/events").read_text() == "e"
    assert not Path(logdir, "work").exists()


def test_the_driver_is_left_as_it_was() -> None:
    """A run changes neither the environment nor the working directory nor the streams."""
    before = (dict(os.environ), Path.cwd(), sys.stdout, sys.stderr, list(sys.path))

    experiment.launch(lambda: 1, **QUIET)

    assert before == (dict(os.environ), Path.cwd(), sys.stdout, sys.stderr, list(sys.path))
