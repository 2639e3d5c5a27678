"""A wheel of the package: what it holds, and that everything works from it without a checkout."""

import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest

from tests.installed import Environment, install

ROOT = Path(__file__).parents[1]
SOURCES = ("LICENSE", "MANIFEST.in", "README.md", "constraints.txt", "pyproject.toml", "setup.cfg")
NO_SOURCES = shutil.ignore_patterns("__pycache__", "*.egg-info", "output")
LEFT_BY_RUNS = (
    "bundles/nuclei/output/model.pt",
    "bundles/nuclei/output/configs/train.json",
    "bundles/nuclei/models/model.ts",
    "bundles/nuclei/configs/__pycache__/train.pyc",
    "cellseg_monai/report/__pycache__/html.pyc",
    "cellseg_monai/bundle/left.txt",
)


def test_setup_names_every_package() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    packages = {path.parent.relative_to(ROOT) for path in (ROOT / "cellseg_monai").rglob("__init__.py")}
    expected = {".".join(path.parts) for path in packages} | {"cellseg_monai.zoo"}
    assert set(setup["options"]["packages"].split()) == expected


def build(source: Path, output: Path, kind: str) -> Path:
    """Build a wheel or an sdist, and return its path."""
    words = ("-m", "build", "--no-isolation", f"--{kind}", "--outdir", output, source)
    done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = output.iterdir()
    return built


def contents(wheel: Path) -> dict[str, int]:
    """Return the checksum of each file in a wheel."""
    with zipfile.ZipFile(wheel) as opened:
        return {info.filename: info.CRC for info in opened.infolist()}


def files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file in a folder, except for compiled Python."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources."""
    folder = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        shutil.copyfile(ROOT / name, folder / name)
    for name in ("bundles", "cellseg_monai"):
        shutil.copytree(ROOT / name, folder / name, ignore=NO_SOURCES)
    return folder


@pytest.fixture(scope="module")
def expected(source: Path) -> set[str]:
    """The names of the files that a wheel must hold, except for those that describe it."""
    sources = {f"cellseg_monai/{name}" for name in files(source / "cellseg_monai")}
    bundles = {name for name in files(source / "bundles") if not name.startswith("recipes/")}
    return sources | {f"cellseg_monai/zoo/{name}" for name in bundles}


@pytest.fixture(scope="module")
def wheel(source: Path, expected: set[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built from sources among which runs have left their files."""
    pytest.importorskip("build", reason="`build` is not installed; install the extra dev")
    for name in LEFT_BY_RUNS:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text("{}")
    return build(source, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.mark.slow
class TestContents:
    """The files in a wheel."""

    def test_it_holds_the_package_and_the_bundles_and_nothing_that_runs_have_left(
        self, wheel: Path, expected: set[str]
    ) -> None:
        names = {name for name in contents(wheel) if ".dist-info/" not in name}
        assert sorted(names - expected) == []
        assert sorted(expected - names) == []
        assert {f"cellseg_monai/zoo/{name}/models/model.pt" for name in ("nuclei", "scout")} <= names

    def test_a_wheel_built_from_an_sdist_is_the_same(self, source: Path, wheel: Path, tmp_path: Path) -> None:
        with tarfile.open(build(source, tmp_path / "sdist", "sdist")) as archive:
            archive.extractall(tmp_path / "unpacked", filter="data")
        (unpacked,) = (tmp_path / "unpacked").iterdir()
        assert not [name for name in LEFT_BY_RUNS if (unpacked / name).exists()]
        assert contents(build(unpacked, tmp_path / "wheel", "wheel")) == contents(wheel)
        recipes = files(ROOT / "bundles" / "recipes")
        assert files(unpacked / "bundles" / "recipes") == recipes  # so that `cellseg bundle build` works there


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """An environment with the wheel, in which no command may change an installed file."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "here").mkdir()
    environment = install(wheel, folder / "environment", folder / "here")
    before = files(environment.packages)
    environment.run("cellseg", "data", "sample", "data")
    yield environment
    assert files(environment.packages) == before


@pytest.fixture(scope="module")
def zoo(installed: Environment) -> Path:
    """The installed bundles."""
    return installed.packages / "cellseg_monai" / "zoo"


WHERE = """
import importlib.metadata, sys, cellseg_monai, cellseg_monai.bundle
print(cellseg_monai.__file__)
print(cellseg_monai.bundle.find_bundle("nuclei"))
print(importlib.metadata.distribution("cellseg_monai").locate_file("cellseg_monai"))
print(*sys.path, sep="\\n")
"""
RESULTS = ("labels", "csv")


@pytest.fixture(scope="module")
def segmented(installed: Environment) -> Path:
    """The results of `cellseg segment`."""
    ran = installed.run(*segmenting(installed, installed.here / "segmented"))
    assert ran.stderr.startswith("loading PyTorch and MONAI")
    return installed.here / "segmented"


def segmenting(installed: Environment, output: Path) -> tuple[str, ...]:
    """Return the command that segments the generated images."""
    images = installed.here / "data" / "images"
    return ("cellseg", "segment", str(images), "--export", ",".join(RESULTS), "--output", str(output))


@pytest.mark.slow
class TestInstalled:
    """The package and its bundles, installed from a wheel in an environment without the checkout."""

    def test_package_and_bundles_come_from_the_wheel_alone(self, installed: Environment) -> None:
        lines = installed.run("python", "-c", WHERE).stdout.splitlines()
        assert all(Path(place).is_relative_to(installed.packages) for place in lines[:3])
        packages = [Path(place or installed.here, "cellseg_monai") for place in lines[3:]]
        assert [package for package in packages if package.exists()] == [installed.packages / "cellseg_monai"]

    def test_segmenting_gives_the_results_and_the_record_of_the_checkout(
        self, installed: Environment, segmented: Path, tmp_path: Path
    ) -> None:
        words = segmenting(installed, tmp_path)[1:]
        subprocess.run([sys.executable, "-m", "cellseg_monai", *words], cwd=ROOT, check=True, capture_output=True)
        outputs = [segmented, tmp_path]
        records = [json.loads((output / "run.json").read_text(encoding="utf-8")) for output in outputs]
        for record in records:
            for image in record["images"]:
                del image["seconds"]
        for part in ("about", "images", "arguments"):
            assert records[0][part] == records[1][part]
        assert set(records[0]["about"]["bundles"]["nuclei"]["bundle"]) == {"name", "version", "weights_sha256"}
        results = [{name: digest for name, digest in files(output).items() if name != "run.json"} for output in outputs]
        assert results[0] == results[1]
        assert len(results[0]) == len(RESULTS) * len(records[0]["images"])

    def test_results_are_scored_and_reported(self, installed: Environment, segmented: Path) -> None:
        pairs = ("--truth", "data/labels", "--pred", segmented)
        assert "dice_mean" in installed.run("cellseg", "evaluate", *pairs, "--protocol", "cellseg").stdout
        installed.run("cellseg", "report", "--images", "data/images", *pairs, "--output", "report.html")
        assert (installed.here / "report.html").is_file()

    def test_workflows_of_an_installed_bundle_write_to_the_working_folder(
        self, installed: Environment, zoo: Path
    ) -> None:
        """The fixture `installed` checks that no installed file changes."""
        configs, output = zoo / "nuclei" / "configs", installed.here / "runs" / "nuclei"
        installed.bundle_run("evaluating", configs / "evaluate.json", dataset_dir="data")
        assert (output / "evaluation" / "cellseg_summary.json").is_file()
        small = {"epochs": 1, "steps_per_epoch": 1, "crops_per_image": 1, "roi_size": "[64,64]"}
        installed.bundle_run("training", configs / "train.json", dataset_dir="data", **small)
        assert (output / "model.pt").is_file()

    def test_a_bundle_is_checked_and_copied(self, installed: Environment, zoo: Path) -> None:
        assert installed.run("cellseg", "bundle", "check", "nuclei").stdout == "nuclei: no problems found\n"
        installed.run("cellseg", "bundle", "copy", "nuclei", "--output", "mine")
        copied = {name: digest for name, digest in files(zoo / "nuclei").items() if name != "bundle.json"}
        assert files(installed.here / "mine") == copied
        refused = installed.run("cellseg", "bundle", "build", "nuclei", code=1)
        assert "its recipe is only in a checkout" in refused.stderr
