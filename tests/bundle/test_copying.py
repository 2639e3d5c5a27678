"""Copies of bundles, and bundles that were installed among other packages."""

import shutil
from pathlib import Path

import pytest

from cellseg_monai.bundle import build_bundle, bundle_faults, copy_bundle, find_bundle, find_output, origin
from cellseg_monai.errors import BundleError
from tests.foreign import NUCLEI


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The bundle nuclei as if a wheel had brought it, and nothing else."""
    ignored = shutil.ignore_patterns("output")
    folder = Path(shutil.copytree(NUCLEI, tmp_path / "cellseg_monai" / "zoo" / "nuclei", ignore=ignored))
    monkeypatch.setattr(origin, "_INSTALLED", folder.parent)
    return folder


def test_a_copy_has_everything_but_output_and_sources(tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(NUCLEI, tmp_path / "mine"))
    for name in ("output/model.pt", "configs/__pycache__/x.pyc", ".git/config", "docs/output/kept.txt"):
        (bundle / name).parent.mkdir(parents=True, exist_ok=True)
        (bundle / name).write_text("")
    copy = copy_bundle(bundle, tmp_path / "copies" / "other")
    left_out = {name for name in names(bundle) if name.startswith("output/")}
    assert names(bundle) - names(copy) == {*left_out, "bundle.json", "configs/__pycache__/x.pyc", ".git/config"}
    assert names(copy) <= names(bundle)


def test_a_copy_replaces_nothing_and_does_not_lie_in_the_bundle(tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(NUCLEI, tmp_path / "mine", ignore=shutil.ignore_patterns("models", "output")))
    with pytest.raises(FileExistsError, match="mine already exists; choose another --output"):
        copy_bundle(bundle, tmp_path / "mine")
    with pytest.raises(BundleError, match="lies in the bundle"):
        copy_bundle(bundle, bundle / "inner")


def test_the_output_of_a_bundle_is_in_its_folder(tmp_path: Path) -> None:
    assert find_output("bundles/unet") == "bundles/unet/output"
    assert find_output(str(tmp_path / "mine")) == f"{tmp_path / 'mine'}/output"


def test_the_output_of_an_installed_bundle_is_in_the_working_folder(installed: Path) -> None:
    assert Path(find_output(str(installed))) == Path("runs", "nuclei")
    assert find_bundle("nuclei") == installed


def test_an_installed_bundle_is_checked_without_its_recipe_and_not_built(installed: Path) -> None:
    assert bundle_faults(installed) == []
    with pytest.raises(BundleError, match="cellseg bundle copy nuclei"):
        build_bundle(installed)
