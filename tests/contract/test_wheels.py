import tarfile
from collections.abc import Mapping
from email.message import Message
from email.parser import BytesParser
from pathlib import Path

import pytest

from repository import DISTRIBUTIONS, LIBRARIES, ROOT, Distribution
from workshop import Built, build

each_distribution = pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=str)
each_library = pytest.mark.parametrize("distribution", LIBRARIES, ids=str)

Builds = Mapping[str, Built]


def stem(distribution: Distribution) -> str:
    """Return how the folders inside the wheel begin."""
    return f"{distribution.name.replace('-', '_')}-{distribution.version}"


def metadata(distribution: Distribution, built: Builds) -> Message:
    """Return what the wheel says about itself."""
    content = built[distribution.name].wheel_files[f"{stem(distribution)}.dist-info/METADATA"]
    return BytesParser().parsebytes(content)


@each_distribution
def test_wheel_holds_the_tracked_files_and_nothing_else(
    distribution: Distribution, built: Builds
) -> None:
    """A wheel is exactly the tracked sources, the scripts and what the format asks for."""
    name = stem(distribution)
    about = {"METADATA", "WHEEL", "RECORD", "licenses/LICENSE"}
    if distribution.settings["project"].keys() & {"scripts", "entry-points"}:
        about.add("entry_points.txt")
    target = distribution.settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    scripts = target.get("shared-scripts", {}).values()
    expected = {str(path) for path in distribution.files("src")}
    expected |= {f"{name}.dist-info/{file}" for file in about}
    expected |= {f"{name}.data/scripts/{script}" for script in scripts}

    assert set(built[distribution.name].wheel_files) == expected


@each_distribution
def test_no_wheel_owns_the_namespace(distribution: Distribution, built: Builds) -> None:
    """Nothing but package folders lies directly in `hops`: a file there would hide the siblings."""
    names = built[distribution.name].wheel_files
    direct = [name for name in names if name.startswith("hops/") and name.count("/") == 1]

    assert direct == []


@each_library
def test_every_package_is_marked_as_typed(distribution: Distribution, built: Builds) -> None:
    """A user's type checker reads the annotations of each package folder."""
    names = built[distribution.name].wheel_files
    folders = {name.split("/")[1] for name in names if name.startswith("hops/")}

    assert folders
    assert {f"hops/{folder}/py.typed" for folder in folders} <= set(names)


@each_distribution
def test_licence_travels_along(distribution: Distribution, built: Builds) -> None:
    """Each wheel carries the licence of the repository, unchanged."""
    licence = built[distribution.name].wheel_files[
        f"{stem(distribution)}.dist-info/licenses/LICENSE"
    ]

    assert licence == (ROOT / "LICENSE").read_bytes()


@each_distribution
def test_metadata_names_the_packages(distribution: Distribution, built: Builds) -> None:
    """The metadata lists what can be imported, and the namespace as shared."""
    about = metadata(distribution, built)

    assert about["Version"] == distribution.version
    assert about.get_all("Import-Name", []) == distribution.packages
    assert about.get_all("Import-Namespace", []) == (["hops"] if distribution.packages else [])


@each_distribution
def test_siblings_are_required_by_a_range(distribution: Distribution) -> None:
    """A sibling can be released alone: the range has both ends and admits the one beside it."""
    versions = {other.name: other.version for other in DISTRIBUTIONS}
    for requirement in distribution.requirements:
        if requirement.name in versions:
            operators = {part.operator for part in requirement.specifier}
            assert operators == {">=", "<"}, requirement
            assert versions[requirement.name] in requirement.specifier, requirement


def test_core_brings_the_doctor(built: Builds) -> None:
    """`hops-doctor` is a plain script: it runs where `hops` itself cannot be imported."""
    [core] = [distribution for distribution in DISTRIBUTIONS if distribution.name == "hops-core"]
    script = built["hops-core"].wheel_files[f"{stem(core)}.data/scripts/hops-doctor"]

    assert script.startswith(b"#!python")


def test_the_meta_distribution_has_no_file_and_requires_all(built: Builds) -> None:
    """`pip install hops` gives everything; upgrading from 3.8 removes the old files."""
    [meta] = [distribution for distribution in DISTRIBUTIONS if distribution.name == "hops"]
    names = built["hops"].wheel_files

    assert meta.version.split(".")[0] == "5"
    assert all(name.startswith(f"{stem(meta)}.dist-info/") for name in names)
    assert {each.name for each in meta.siblings} == {each.name for each in LIBRARIES}


@each_distribution
def test_sdist_holds_the_tracked_files(distribution: Distribution, built: Builds) -> None:
    """An sdist is the folder as git has it; two files are hatchling's own."""
    expected = {str(path) for path in distribution.files()} | {"PKG-INFO", ".gitignore"}

    assert set(built[distribution.name].sdist_files) == expected


@each_distribution
def test_sdist_builds_the_same_wheel(
    distribution: Distribution, built: Builds, tmp_path: Path
) -> None:
    """Who builds from the sdist gets what we publish."""
    with tarfile.open(built[distribution.name].sdist) as archive:
        # Python before 3.11.4 has no such filter.
        archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        archive.extractall(tmp_path)  # noqa: S202 - our own
    [folder] = tmp_path.iterdir()

    again = build(folder, tmp_path / "again")

    assert again.wheel_files == built[distribution.name].wheel_files
