import fcntl
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from hops.experiment.driver.view.hparams import HParamsWriter
from hops.experiment.driver.view.serve_tensorboard import remove_mirror
from hops.experiment.driver.view.tensorboard import HOME_PREFIX, Mirror, TensorBoard
from hops.experiment.record import Outcome, State, Trial

pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")

PATIENCE_S = 100.0
STATUSES = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def _get(url: str, path: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401 - JSON
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}{path}", data=data)  # noqa: S310 - 127.0.0.1
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310 - 127.0.0.1
        return json.load(answer)


def _group(process: int) -> list[str]:
    """Return the live processes of the group that *process* leads."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            state, _, group = entry.read_text().rpartition(") ")[2].split()[:3]
            if int(group) == process and state != "Z":
                found.append(entry.parent.name)
    return found


def _process(server: TensorBoard) -> int:
    assert server._process is not None  # noqa: SLF001 - a user never needs the process
    return server._process.pid  # noqa: SLF001


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    """An empty mirror."""
    made = Mirror()
    yield made
    made.close()


@pytest.fixture
def server(mirror: Mirror) -> Iterator[TensorBoard]:
    """A TensorBoard over the mirror."""
    made = TensorBoard()
    made.start(mirror.directory)
    yield made
    made.stop()


def test_links_are_turned_at_once(tmp_path: Path, mirror: Mirror) -> None:
    """A run is one link, which leads to the newest directory; nothing else is ever in sight."""
    mirror.show("a=1", tmp_path / "attempt")
    mirror.show("a=1", tmp_path / "final")
    mirror.show("generation.0/a=1", tmp_path / "other")
    mirror.show("", tmp_path)

    links = {
        str(path.relative_to(mirror.directory)): path.readlink()
        for path in mirror.directory.rglob("*")
        if path.is_symlink()
    }
    assert links == {
        "a=1": tmp_path / "final",
        "generation.0/a=1": tmp_path / "other",
        "trial": tmp_path,
    }


def test_the_mirror_is_private_and_leaves_the_trials(tmp_path: Path, mirror: Mirror) -> None:
    """Only the user may look in; the end removes the links and not what they lead to."""
    kept = tmp_path / "events"
    kept.touch()
    mirror.show("a=1", tmp_path)
    home = mirror.directory.parent

    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    mirror.close()
    mirror.close()
    assert not home.exists()
    assert kept.exists()


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/etc"])
def test_no_name_leaves_the_mirror(mirror: Mirror, name: str) -> None:
    """A name that leads elsewhere is refused."""
    with pytest.raises(ValueError, match="would leave"):
        mirror.show(name, "/")


def test_every_trial_is_a_session(tmp_path: Path, mirror: Mirror, server: TensorBoard) -> None:
    """The HParams tab shows all trials with their parameters, outputs and states."""
    space: dict[str, list[Any]] = {"lr": [0.1, 0.5], "act": ["relu", None], "big": [True, False]}
    writer = HParamsWriter([mirror.directory], space, "accuracy")
    expected = {}
    for number in range(8):
        bits = [number & 1, number >> 1 & 1, number >> 2]
        given = {key: space[key][bit] for key, bit in zip(space, bits, strict=True)}
        outcome = _outcome(number, given, failed=number == 5)
        mirror.show(outcome.trial.name, tmp_path / outcome.trial.name)
        (tmp_path / outcome.trial.name).mkdir()
        writer.add(tmp_path / outcome.trial.name, outcome)
        shown = given | {"act": str(given["act"])}
        results = {} if number == 5 else {"accuracy": number / 4, "loss": 2.0}
        expected[f"n={number}"] = shown, results, "FAILURE" if number == 5 else "SUCCESS"
    assert writer.close() is None
    url = server.wait(PATIENCE_S) or ""

    _until(lambda: len(_get(url, "data/runs")) == 9)
    experiment = _get(url, "data/plugin/hparams/experiment", {"experimentName": ""})
    parameters = {info["name"]: info for info in experiment["hparamInfos"]}
    assert parameters["lr"]["domainInterval"] == {"minValue": 0.1, "maxValue": 0.5}
    assert parameters["act"]["domainDiscrete"] == ["relu", "None"]
    assert all(info["differs"] for info in parameters.values())
    assert [info["displayName"] for info in experiment["metricInfos"]] == ["accuracy", "loss"]
    assert _sessions(url) == expected


def _outcome(number: int, parameters: dict[str, Any], *, failed: bool) -> Outcome:
    trial = Trial(number=number, name=f"n={number}", parameters=parameters, directory="E/r")
    started = time.time()
    if failed:
        return Outcome(trial=trial, state=State.FAILED, error="E: x", started=started, seconds=1)
    outputs = {"accuracy": number / 4, "loss": 2.0, "log": "output.log"}
    return Outcome(
        trial=trial,
        state=State.FINISHED,
        outputs=outputs,
        metric=number / 4,
        started=started,
        seconds=1,
    )


def _sessions(url: str) -> dict[str, tuple[dict[str, Any], dict[str, float], str]]:
    query = {
        "experimentName": "",
        "allowedStatuses": STATUSES,
        "colParams": [],
        "startIndex": 0,
        "sliceSize": 1000,
    }
    groups = _get(url, "data/plugin/hparams/session_groups", query)["sessionGroups"]
    return {
        group["name"]: (
            group["hparams"],
            {
                each["name"]["tag"].removeprefix("outputs/"): each["value"]
                for each in group["metricValues"]
            },
            group["sessions"][0]["status"].removeprefix("STATUS_"),
        )
        for group in groups
    }


def test_only_the_address_opens_it(server: TensorBoard) -> None:
    """It listens on this host, and answers nothing outside of its unguessable path."""
    url = server.wait(PATIENCE_S) or ""
    parts = urlsplit(url)

    assert parts.hostname == "127.0.0.1"
    assert len(parts.path) > 20
    for path in ("/", "/data/runs", "/x/data/runs"):
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            _get(f"http://{parts.netloc}", path)
        refused.value.close()


def test_no_other_user_sees_the_path(server: TensorBoard) -> None:
    """Neither the arguments, which everybody can list, nor the environment hold it."""
    secret = urlsplit(server.wait(PATIENCE_S) or "").path.strip("/").encode()
    process = Path("/proc", str(_process(server)))

    assert len(secret) > 20
    assert b"serve_tensorboard" in (process / "cmdline").read_bytes()
    assert secret not in (process / "cmdline").read_bytes()
    assert secret not in (process / "environ").read_bytes()


def _write(path: Path, steps: list[int]) -> None:
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.summary.writer.record_writer import RecordWriter

    new = not path.exists()
    with path.open("ab") as file:
        writer = RecordWriter(file)
        events = [event_pb2.Event(file_version="brain.Event:2")] if new else []
        for step in steps:
            value = summary_pb2.Summary.Value(tag="loss", simple_value=step)
            events.append(event_pb2.Event(step=step, summary=summary_pb2.Summary(value=[value])))
        for event in events:
            event.wall_time = time.time()  # the slow reader gives up files with old events only
            writer.write(event.SerializeToString())


def _steps(url: str, run: str) -> list[int]:
    try:
        points = _get(url, f"data/plugin/scalars/scalars?tag=loss&run={quote(run)}")
    except urllib.error.HTTPError as error:
        error.close()
        return []
    return [step for _, step, _ in points]


@pytest.mark.parametrize("reader", ["fast", "slow"])
def test_a_run_goes_on_when_its_link_is_turned(
    tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    """Both of TensorBoard's readers follow an attempt to its last place, and to the next one."""
    if reader == "slow":
        (tmp_path / "tensorboard_data_server.py").write_text("raise ImportError\n")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    accepted, lost = tmp_path / "0.1", tmp_path / "1.1"
    for name, directory in {"accepted": accepted, "retried": lost}.items():
        directory.mkdir()
        mirror.show(name, directory)
        _write(directory / "events.out.tfevents.1000000000.host.1", [1, 2])
    server = TensorBoard()
    server.start(mirror.directory)
    try:
        url = server.wait(PATIENCE_S) or ""
        _until(lambda: _steps(url, "accepted") == _steps(url, "retried") == [1, 2])
        final = accepted.rename(tmp_path / "final")
        mirror.show("accepted", final)
        _write(final / "events.out.tfevents.1000000000.host.1", [3])
        again = tmp_path / "1.2"
        again.mkdir()
        mirror.show("retried", again)
        shutil.rmtree(lost)
        _write(again / "events.out.tfevents.1000000009.host.2", [1, 2, 3])

        _until(lambda: _steps(url, "accepted") == [1, 2, 3])
        _until(lambda: _steps(url, "retried")[-3:] == [1, 2, 3])
        assert sorted(_get(url, "data/runs")) == ["accepted", "retried"]
    finally:
        server.stop()


def test_stopping_leaves_no_process(server: TensorBoard) -> None:
    """TensorBoard and its data server end, at once, and in whatever state they are."""
    server.wait(PATIENCE_S)
    process = _process(server)
    assert str(process) in _group(process)
    server.stop()
    server.stop()

    _until(lambda: not _group(process))
    assert server.url() is not None
    assert server.problem() is None

    early = TensorBoard()
    early.start("/")
    process = _process(early)
    early.stop()
    _until(lambda: not _group(process))


_DRIVER = """
import time
from hops.experiment.driver.view.tensorboard import Mirror, TensorBoard
mirror = Mirror()
mirror.show("a=1", "{kept}")
server = TensorBoard()
server.start(mirror.directory, home=mirror.home)
print(server.wait(100), server._process.pid, flush=True)
time.sleep(1000)
"""


def test_it_ends_with_the_driver(tmp_path: Path) -> None:
    """A driver that is killed leaves no process and no temporary file, and takes no trial along."""
    kept, temporary = tmp_path / "a=1", tmp_path / "tmp"
    kept.mkdir()
    (kept / "output.log").touch()
    temporary.mkdir()
    driver = subprocess.Popen(
        [sys.executable, "-c", _DRIVER.format(kept=kept)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    with driver:
        url, process = (driver.stdout.readline() if driver.stdout else "").split()
        assert _get(url, "data/runs") == []
        assert len(list(temporary.iterdir())) == 1
        os.kill(driver.pid, signal.SIGKILL)

    _until(lambda: not _group(int(process)))
    assert list(temporary.iterdir()) == []
    assert (kept / "output.log").exists()


def test_only_a_mirror_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory with another name, or in another place, is a user's."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    users = [tmp_path / "run", tmp_path / "run" / f"{HOME_PREFIX}x", tmp_path / HOME_PREFIX[:-1]]
    for directory in users:
        directory.mkdir()
        remove_mirror(str(directory))
    remove_mirror("")
    assert all(directory.exists() for directory in users)

    mirror = Mirror()
    mirror.show("a=1", users[0])
    remove_mirror(str(mirror.home))
    assert not mirror.home.exists()
    assert users[1].exists()


def test_a_program_without_a_driver_ends() -> None:
    """If the driver is killed before it has told the path, nothing is served without one."""
    module = "hops.experiment.driver.view.serve_tensorboard"
    command = [sys.executable, "-P", "-m", module, "/", "127.0.0.1", ""]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=PATIENCE_S, check=True)

    assert done.stdout == b""


_FAKE_TENSORBOARD = """
class TensorBoard:
    def configure(self, flags):
        self.path = flags[flags.index("--path_prefix") + 1]
    def launch(self):
        return f"http://127.0.0.1:1{self.path}/"
"""


@pytest.fixture
def many_files() -> Iterator[int]:
    """Allow descriptors beyond the 1024 that select knows, and return the first of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard > 1024
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield 1024
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_program_with_many_files_can_wait_for_it(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, many_files: int
) -> None:
    """A notebook with a thousand open files gets the address as well."""
    (tmp_path / "tensorboard").mkdir()
    (tmp_path / "tensorboard/__init__.py").touch()
    (tmp_path / "tensorboard/program.py").write_text(_FAKE_TENSORBOARD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    server = TensorBoard()
    server.start(mirror.directory)
    assert server._process is not None  # noqa: SLF001 - the test moves its pipe
    assert server._process.stdout is not None  # noqa: SLF001
    high = fcntl.fcntl(server._process.stdout, fcntl.F_DUPFD_CLOEXEC, many_files)  # noqa: SLF001
    server._process.stdout.close()  # noqa: SLF001
    server._process.stdout = os.fdopen(high, "rb")  # noqa: SLF001
    try:
        assert (server.wait(PATIENCE_S) or "").startswith("http://127.0.0.1:1/")
    finally:
        server.stop()


def test_an_interrupt_of_the_terminal_does_not_reach_it(server: TensorBoard) -> None:
    """It has a session of its own, so Ctrl-C ends the run first."""
    assert os.getsid(_process(server)) == _process(server) != os.getsid(0)


def test_it_knows_no_secret_and_no_gpu(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The environment of the process has neither."""
    (tmp_path / "tensorboard.py").write_text(
        "import os, sys\n"
        "sys.exit(repr([os.environ.get('HOPSWORKS_API_KEY'), os.environ['CUDA_VISIBLE_DEVICES']]))"
    )
    monkeypatch.setenv("HOPSWORKS_API_KEY", "secret")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    server = TensorBoard()
    server.start(mirror.directory)
    _until(server.problem)
    server.stop()

    assert server.problem() == "TensorBoard ended with status 1: [None, '']"


def test_a_broken_installation_is_told_in_one_line(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The last line of its complaint is passed on, and nothing is raised or waited for."""
    (tmp_path / "tensorboard.py").write_text("raise ImportError('\\x1b[31mno numpy')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    server = TensorBoard()
    server.start(mirror.directory)

    assert server.wait(PATIENCE_S) is None
    _until(server.problem)
    assert server.problem() == "TensorBoard ended with status 1: ImportError: no numpy"
    server.stop()


def test_a_missing_interpreter_is_told(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    """When no process can be started, the run goes on without."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    server = TensorBoard()
    server.start(mirror.directory)

    assert (server.problem() or "").startswith("TensorBoard could not be started: ")
    assert server.url() is None
    server.stop()
