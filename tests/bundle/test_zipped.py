"""Bundles in a zip."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from cellseg_monai.bundle import find_bundle, load_pipeline
from cellseg_monai.bundle.zipped import unpacked_bundle
from cellseg_monai.errors import ArchiveError, BundleError
from cellseg_monai.inference import prepared_plane, segment_plane
from tests.cells import cells

NUCLEI = Path(__file__).parents[2] / "bundles" / "nuclei"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "cellseg_monai" / "bundles"


def zipped(path: Path, within: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(NUCLEI.rglob("*")):
            if file.parent.name in ("configs", "models"):
                archive.write(file, f"{within}{file.relative_to(NUCLEI)}")
    return path


@pytest.mark.parametrize("within", ["", "nuclei/"], ids=["at the top", "in one folder"])
def test_a_zip_segments_like_its_folder(tmp_path, cache, within):
    pipeline, other = load_pipeline(zipped(tmp_path / "some.zip", within)).largest, load_pipeline(NUCLEI).largest
    assert pipeline.weights_sha256 == other.weights_sha256
    labels, expected = (
        segment_plane(prepared_plane(cells()[np.newaxis], loaded), loaded).labels for loaded in (pipeline, other)
    )
    assert labels.any()
    np.testing.assert_array_equal(labels, expected)
    assert [len(folder.name) for folder in cache.iterdir()] == [64]


def test_each_zip_is_unpacked_once(tmp_path, cache):
    path = zipped(tmp_path / "some.zip")
    first = find_bundle(path)
    written_at = (first / "configs" / "metadata.json").stat().st_mtime_ns
    assert find_bundle(path) == first
    assert (first / "configs" / "metadata.json").stat().st_mtime_ns == written_at
    assert find_bundle(zipped(path, "nuclei/")) != first
    assert len(list(cache.iterdir())) == 2


def test_without_a_valid_xdg_cache_home_it_is_unpacked_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert unpacked_bundle(zipped(tmp_path / "some.zip")).is_relative_to(tmp_path / "home" / ".cache")


@pytest.mark.parametrize(
    ("files", "error", "says"),
    [
        (["notes.txt"], BundleError, "got notes.txt, expected configs/metadata.json at the top level"),
        ([], BundleError, "got nothing"),
        (["a/b/configs/metadata.json"], BundleError, "at the top level or in one top-level folder"),
        (["a/configs/metadata.json", "b/configs/metadata.json"], BundleError, "zip a single bundle folder"),
        (["configs/metadata.json", "../outside"], ArchiveError, "has a path outside"),
    ],
    ids=["something else", "empty", "too deep", "two bundles", "a member outside the target"],
)
def test_a_zip_of_something_else_is_refused_and_leaves_nothing(tmp_path, cache, files, error, says):
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        for name in files:
            archive.writestr(name, "{}")
    with pytest.raises(error, match=says):
        find_bundle(tmp_path / "some.zip")
    assert not cache.exists() or not list(cache.iterdir())


def test_a_zip_that_holds_too_much_is_refused_with_a_remedy(tmp_path, cache):
    with zipfile.ZipFile(tmp_path / "some.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("configs/metadata.json", "{}")
        archive.writestr("zeros", bytes(150_000_000))
    with pytest.raises(BundleError, match="if you trust the zip, unpack it yourself and pass the folder"):
        find_bundle(tmp_path / "some.zip")
    assert not cache.exists()


@pytest.mark.parametrize("change", ["lost", "cut", "changed", "a folder"])
def test_a_cache_that_lost_a_file_is_renewed(tmp_path, cache, change):
    path = zipped(tmp_path / "some.zip")
    file = find_bundle(path) / "configs" / "inference.json"
    whole = file.read_bytes()
    file.unlink()
    if change == "cut":
        file.write_bytes(whole[:-9])
    elif change == "changed":
        file.write_bytes(whole.replace(b"1024", b"1025"))
    elif change == "a folder":
        file.mkdir()
    assert (find_bundle(path) / "configs" / "inference.json").read_bytes() == whole
    assert len(list(cache.iterdir())) == 1


def test_what_a_killed_process_left_in_the_cache_is_removed(tmp_path, cache):
    path = zipped(tmp_path / "some.zip")
    folder = find_bundle(path)
    folder.rename(folder.with_name(f".{folder.name}.0123abcd.part"))
    (cache / f".{folder.name}.lock").touch()
    (cache / ".other.0123abcd.part").mkdir()
    assert find_bundle(path) == folder
    assert {entry.name for entry in cache.iterdir()} == {folder.name, ".other.0123abcd.part"}
