"""`hops-doctor`, in throw-away environments: healthy ones, and with the old library in its ways."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hatchling
import pytest
from uv import find_uv_bin

PACKAGES = Path(__file__).parents[2] / "packages"
CORE = PACKAGES / "hops-core"
OLD_INIT = "print('old hops')\n"


def run(
    command: Sequence[str | Path], env: Mapping[str, str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    """Run *command* to its end."""
    return subprocess.run(
        command, env=env, cwd=cwd, capture_output=True, text=True, check=False, timeout=100
    )


@dataclass
class Environment:
    """A virtual environment, and a user who works in it."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """The user's home, where the user works."""
        return self.folder / "home"

    @property
    def site_packages(self) -> Path:
        """Where installed files are."""
        [found] = self.folder.glob("lib/python*/site-packages")
        return found

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run *command* as found on the search path of an activated environment."""
        path = os.pathsep.join([str(self.folder / "bin"), os.defpath])
        env = {"HOME": str(self.home), "PATH": path, **self.variables}
        return run(
            [shutil.which(command[0], path=path) or command[0], *command[1:]], env, self.home
        )

    def uv(self, *command: str | Path) -> None:
        """Let uv work on this environment, without any index."""
        python = self.folder / "bin" / "python"
        done = self.run(find_uv_bin(), *command, "--offline", "--no-config", "--python", python)
        assert done.returncode == 0, done.stderr

    def install(self, *wheels: Path) -> None:
        """Install wheels, over whatever is there."""
        self.uv("pip", "install", "--no-index", "--no-deps", "--force-reinstall", *wheels)

    def doctor(self, *, fails: bool) -> list[dict[str, Any]]:
        """Run `hops-doctor --json` and return its checks."""
        done = self.run("hops-doctor", "--json")
        assert done.stderr == ""
        answer = json.loads(done.stdout)
        assert answer["format"] == 1
        states = [check["state"] for check in answer["checks"]]
        assert ("FAIL" in states) is fails, answer
        assert done.returncode == int(fails)
        checks: list[dict[str, Any]] = answer["checks"]
        return checks

    def check(self, subject: str, *, fails: bool = False) -> dict[str, Any]:
        """Run `hops-doctor` and return the only check of one subject."""
        [found] = [check for check in self.doctor(fails=fails) if check["subject"] == subject]
        return found


def make_wheel(folder: Path, name: str, version: str, files: Mapping[str, str]) -> Path:
    """Write a wheel with the given files."""
    about = f"{name}-{version}.dist-info"
    content = {
        **files,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*content, f"{about}/RECORD"])
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**content, f"{about}/RECORD": record}.items():
            archive.writestr(path, text)
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """hops-core, as it is published."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]
    done = run([*command, folder], os.environ, CORE)
    assert done.returncode == 0, done.stderr
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The last release of hops-util-py, or what matters of it here."""
    files = {"hops/__init__.py": OLD_INIT, "hops/hdfs.py": "", "hops/devices.py": ""}
    return make_wheel(tmp_path, "hops", "3.8.0.0", files)


@pytest.fixture
def empty(tmp_path: Path) -> Environment:
    """An environment with nothing in it."""
    made = Environment(tmp_path / "environment")
    command = [find_uv_bin(), "venv", "--offline", "--no-config", "--python", sys.executable]
    done = run([*command, made.folder], os.environ, tmp_path)
    assert done.returncode == 0, done.stderr
    made.home.mkdir()
    return made


@pytest.fixture
def healthy(empty: Environment, wheel: Path) -> Environment:
    """An environment with hops-core alone."""
    empty.install(wheel)
    return empty


@pytest.fixture
def checkout(empty: Environment) -> Environment:
    """An environment with hops-core as `pip install -e` has it, built by this hatchling."""
    empty.variables["PYTHONPATH"] = str(Path(hatchling.__path__[0]).parent)
    empty.uv("pip", "install", "--no-index", "--no-deps", "--no-build-isolation", "-e", CORE)
    del empty.variables["PYTHONPATH"]
    return empty


def test_a_healthy_environment(healthy: Environment) -> None:
    """An installed wheel puts the command on the path; it finds nothing wrong and says so."""
    done = healthy.run("hops-doctor")

    assert (done.returncode, done.stderr) == (0, "")
    assert {line[:6] for line in done.stdout.splitlines()} <= {"ok    ", "      ", "", "Nothin"}
    for sentence in (
        f"Python {sys.version.split()[0]} ({healthy.folder}/bin/python",
        "ok    hops-core 0.1.0\n",
        "ok    hops-kafka is not installed\n      Hint: pip install hops-kafka\n",
        f"ok    project default on the platform laptop: {healthy.home}/hops/default, ",
        "ok    0 GPUs",
        "      Hint: only if you want it: pip install 'hops-experiment[torch]'",
        "\nNothing is wrong.\n",
    ):
        assert sentence in done.stdout
    assert not (healthy.home / "hops").exists()


def test_an_editable_installation(checkout: Environment) -> None:
    """The command is there after `pip install -e`, too, and runs the environment's Python."""
    command = checkout.folder / "bin" / "hops-doctor"

    assert checkout.check("hops-core")["message"].endswith("(editable)")
    assert command.read_text().startswith(f"#!{checkout.folder}/bin/python")


def test_old_library_in_the_same_folder(healthy: Environment, old: Path) -> None:
    """Where the old files lie among ours, the doctor names the cure, and the cure works."""
    healthy.install(old)
    assert healthy.run("python", "-c", "import hops.core").stdout == "old hops\n"

    checks = {check["subject"]: check for check in healthy.doctor(fails=True)}

    problem = checks["namespace"]
    assert f"hops 3.8.0.0 is installed in {healthy.site_packages}" in problem["message"]
    assert "mix with ours" in problem["message"]
    assert problem["hint"] == "pip uninstall hops"
    assert checks["project"]["state"] == "ok"
    healthy.uv("pip", "uninstall", "hops")
    healthy.doctor(fails=False)


def test_old_library_beside_a_checkout(checkout: Environment, old: Path) -> None:
    """Where the old files hide an editable installation, uninstalling them is the cure."""
    checkout.install(old)
    assert "ModuleNotFoundError" in checkout.run("python", "-c", "import hops.core").stderr

    checks = {check["subject"]: check for check in checkout.doctor(fails=True)}

    assert checks["namespace"]["state"] == "FAIL"
    assert "none can be imported" in checks["namespace"]["message"]
    assert checks["namespace"]["hint"] == "pip uninstall hops"
    assert checks["hops-core"]["state"] == "FAIL"
    assert "No module named 'hops.core'" in checks["hops-core"]["message"]
    checkout.uv("pip", "uninstall", "hops")
    checkout.doctor(fails=False)


@pytest.mark.parametrize("name", ["hops/__init__.py", "hops.py"])
def test_foreign_file_on_the_python_path(healthy: Environment, tmp_path: Path, name: str) -> None:
    """A checkout of the old library, or a module of this name, is found on `PYTHONPATH`."""
    file = tmp_path / "checkout" / name
    file.parent.mkdir(parents=True)
    file.write_text(OLD_INIT)
    healthy.variables["PYTHONPATH"] = str(tmp_path / "checkout")

    check = healthy.check("namespace", fails=True)

    assert str(file) in check["message"]
    assert check["hint"] == f"take {tmp_path}/checkout out of PYTHONPATH"


def test_foreign_file_that_a_pth_file_adds(healthy: Environment, tmp_path: Path) -> None:
    """A folder that comes last on the path hides us as well as the first."""
    (tmp_path / "late/hops").mkdir(parents=True)
    (tmp_path / "late/hops/__init__.py").touch()
    (healthy.site_packages / "zzz.pth").write_text(f"{tmp_path}/late\n")

    check = healthy.check("namespace", fails=True)

    assert f"take {tmp_path}/late off sys.path (look for a .pth file)" in check["hint"]


def test_old_library_on_the_python_path(healthy: Environment, old: Path, tmp_path: Path) -> None:
    """`pip uninstall` does not reach a folder of `PYTHONPATH`, so that is not the advice."""
    with zipfile.ZipFile(old) as archive:
        archive.extractall(tmp_path / "target")
    healthy.variables["PYTHONPATH"] = str(tmp_path / "target")

    check = healthy.check("namespace", fails=True)

    assert "hops 3.8.0.0" in check["message"]
    assert check["hint"] == f"take {tmp_path}/target out of PYTHONPATH"


def test_foreign_file_in_the_working_directory(healthy: Environment) -> None:
    """A user's own `hops.py` hides the packages from programs started beside it."""
    (healthy.home / "hops.py").touch()

    check = healthy.check("namespace", fails=True)

    assert check["hint"].startswith(f"start programs in another directory than {healthy.home}")


def test_the_new_meta_distribution_does_no_harm(healthy: Environment, tmp_path: Path) -> None:
    """`hops` 5 has no file, and is what an upgrade of the old library leads to."""
    healthy.install(make_wheel(tmp_path, "hops", "5.0.0", {}))

    healthy.doctor(fails=False)


def test_a_package_that_cannot_be_imported(healthy: Environment) -> None:
    """A broken installation is reported with its own last words, and ends nothing else."""
    (healthy.site_packages / "hops/project/identity.py").write_text("raise RuntimeError('boom')\n")

    checks = {check["subject"]: check for check in healthy.doctor(fails=True)}

    assert "cannot be imported: RuntimeError: boom" in checks["hops-core"]["message"]
    assert checks["project"]["message"] == "no project: RuntimeError: boom"
    assert checks["gpus"]["state"] == "ok"


def test_without_hops_core(healthy: Environment) -> None:
    """A copy of the script that outlived its package says what is missing."""
    script = shutil.copy(healthy.folder / "bin/hops-doctor", healthy.home)
    healthy.uv("pip", "uninstall", "hops-core")

    done = healthy.run("python", script)

    assert done.returncode == 1
    assert "FAIL  hops-core is not installed\n      Hint: pip install hops-core" in done.stdout


def test_wrong_settings_are_passed_on(healthy: Environment) -> None:
    """What hops itself refuses is a failed check, with the hint that hops gives."""
    healthy.variables |= {"HOPS_PLATFORM": "mars", "EXECUTOR_GPUS": "many"}

    checks = {check["subject"]: check for check in healthy.doctor(fails=True)}

    assert "HOPS_PLATFORM is 'mars'" in checks["project"]["message"]
    assert checks["project"]["hint"] == "export HOPS_PLATFORM=laptop"
    assert "EXECUTOR_GPUS is 'many'" in checks["gpus"]["message"]


def test_a_project_that_cannot_be_written(healthy: Environment) -> None:
    """A root below a file can never be made."""
    (healthy.home / "file").touch()
    healthy.variables["HOPS_PROJECT_DIR"] = f"{healthy.home}/file/project"

    check = healthy.check("project", fails=True)

    assert "cannot be written" in check["message"]
    assert check["hint"].startswith("export HOPS_PROJECT_DIR=")


def test_a_project_that_exists(healthy: Environment) -> None:
    """The directory is tried, and nothing is left in it."""
    root = healthy.home / "project"
    root.mkdir()
    healthy.variables["HOPS_PROJECT_DIR"] = str(root)

    assert healthy.check("project")["message"].endswith("GiB free")
    assert list(root.iterdir()) == []


def test_unfinished_files_of_today(healthy: Environment) -> None:
    """They are counted, and nothing is advised: somebody may be writing them."""
    folder = healthy.home / "hops/default/Resources"
    folder.mkdir(parents=True)
    (folder / ".tmp-hops-1-ab").touch()

    check = healthy.check("unfinished")

    assert check["state"] == "ok"
    assert check["message"].startswith("1 unfinished")
    assert check["hint"] is None


def test_optional_packages(healthy: Environment, tmp_path: Path) -> None:
    """What is there is named with its version and not imported; a folder is no package."""
    torch = {"torch/__init__.py": "raise RuntimeError('imported')\n"}
    tensorflow = {"tensorflow/__init__.py": ""}
    healthy.install(
        make_wheel(tmp_path, "torch", "2.9.0", torch),
        make_wheel(tmp_path, "tensorflow_cpu", "2.21.0", tensorflow),
    )
    (healthy.site_packages / "pyspark").mkdir()

    checks = {check["subject"]: check for check in healthy.doctor(fails=False)}

    assert checks["torch"]["message"] == "torch 2.9.0"
    assert checks["tensorflow"]["message"] == "tensorflow is installed"
    assert checks["pyspark"]["hint"].endswith("pip install 'hops-experiment[spark]'")
