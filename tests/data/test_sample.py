"""The sample data set: complete, free of faults, reproducible, and written completely or not at all."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

from cellseg_monai.data import check_dataset, load_datalist, sample, sample_dataset, write_sample_dataset
from cellseg_monai.io import read, read_labels

SMALL = {"counts": (4, 2, 2), "shape": (48, 64), "images_per_plate": 2}


@pytest.mark.parametrize("modality", ["nuclei", "phase", "both"])
def test_the_sample_has_no_faults_and_the_right_sections(tmp_path, modality):
    folder = write_sample_dataset(tmp_path / "sample", modality=modality, **SMALL)
    assert check_dataset(folder) == []
    datalist = load_datalist(folder)
    assert [len(datalist[section]) for section in ("training", "validation", "test")] == [4, 2, 2]
    assert datalist["training"][0]["group"] == datalist["training"][1]["group"]
    item = datalist["test"][0]
    image = read(item["image"])
    assert image.axes == "CYX"
    assert image.pixels.shape == (1, 48, 64)
    assert read_labels(item["label"]).shape == (48, 64)


def test_the_default_sample_is_mostly_16_bit_with_an_8_bit_plate(tmp_path):
    folder = write_sample_dataset(tmp_path / "sample", shape=(32, 32))
    datalist = load_datalist(folder)
    assert [len(datalist[section]) for section in ("training", "validation", "test")] == [24, 6, 8]
    dtypes = [read(item["image"]).pixels.dtype for item in datalist["training"]]
    assert dtypes.count(np.uint16) == 20
    assert dtypes.count(np.uint8) == 4


def test_unstained_cells_are_in_phase_and_bright_field_with_8_and_16_bit_each(tmp_path):
    folder = write_sample_dataset(
        tmp_path / "sample", modality="phase", counts=(4, 2, 2), shape=(32, 32), images_per_plate=1
    )
    datalist = load_datalist(folder)
    plates = {
        section: {(Path(i["image"]).stem.split("_")[1], str(read(i["image"]).pixels.dtype)) for i in items}
        for section, items in datalist.items()
    }
    assert plates["training"] == {(kind, bits) for kind in ("phase", "brightfield") for bits in ("uint8", "uint16")}
    for section in ("validation", "test"):
        assert {kind for kind, _ in plates[section]} == {"phase", "brightfield"}


def test_an_empty_working_directory_is_filled_in_place(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    inode = os.stat(".").st_ino
    assert write_sample_dataset(".", **SMALL) == tmp_path / "here"
    assert os.stat(tmp_path / "here").st_ino == inode
    assert sorted(os.listdir()) == ["datalist.json", "images", "labels"]
    assert check_dataset(".") == []
    assert os.listdir(tmp_path) == ["here"]


def test_a_failure_leaves_an_empty_folder_empty(tmp_path, monkeypatch):
    rename = os.rename

    def fail_at_labels(source: Path, destination: Path) -> None:
        if Path(destination).name == "labels":
            raise OSError("no space left on device")
        rename(source, destination)

    monkeypatch.setattr(os, "rename", fail_at_labels)
    with pytest.raises(OSError, match="no space"):
        write_sample_dataset(tmp_path, **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_the_same_seed_writes_the_same_bytes(tmp_path):
    first, again, other = (
        write_sample_dataset(tmp_path / name, seed=seed, **SMALL) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )

    def content(folder: Path) -> dict[str, bytes]:
        return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    assert content(first) == content(again)
    assert content(first) != content(other)


def test_paths_in_the_datalist_are_relative(tmp_path):
    folder = write_sample_dataset(tmp_path / "sample", **SMALL)
    item = json.loads((folder / "datalist.json").read_text())["training"][0]
    assert item["image"].startswith("images/plate01_")
    assert item["label"] == item["image"].replace("images/", "labels/")


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sample, "write_datalist", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_sample_dataset(tmp_path / "sample", **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_existing_files_are_never_overwritten(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="already exists"):
        write_sample_dataset(tmp_path, **SMALL)
    with pytest.raises(FileExistsError, match="already exists"):
        sample_dataset(tmp_path)
    (tmp_path / "empty").mkdir()
    assert (write_sample_dataset(tmp_path / "empty", **SMALL) / "datalist.json").is_file()


@pytest.mark.parametrize(
    "wrong",
    [{"modality": "dic"}, {"counts": (0, 0, 0)}, {"counts": (1, 2)}, {"images_per_plate": 0}],
    ids=["another modality", "no images", "two counts", "plates without images"],
)
def test_arguments_out_of_range_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match="expected"):
        write_sample_dataset(tmp_path / "sample", **wrong)
    assert list(tmp_path.iterdir()) == []


def _small_sample(directory: str) -> str:
    real = sample.write_sample_dataset
    sample.write_sample_dataset = lambda folder, **options: real(folder, **{**SMALL, **options})
    return str(sample.sample_dataset(directory))


def test_the_default_sample_is_cached_and_generated_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made: list[Path] = []

    def write(directory: Path, **options: object) -> Path:
        made.append(directory)
        return write_sample_dataset(directory, **{**SMALL, **options})

    monkeypatch.setattr(sample, "write_sample_dataset", write)
    first, again = sample_dataset(), sample_dataset()
    assert first == again == tmp_path / "cellseg_monai" / f"sample-{sample.SAMPLE_VERSION}-nuclei"
    assert made == [first]


def test_the_second_of_two_processes_uses_the_data_set_of_the_first(tmp_path, monkeypatch):
    target = tmp_path / "sample"
    rename = os.rename

    def late(source: Path, destination: Path) -> None:
        monkeypatch.setattr(os, "rename", rename)
        write_sample_dataset(target, seed=5, **SMALL)  # another process finishes first
        rename(source, destination)

    monkeypatch.setattr(os, "rename", late)
    monkeypatch.setattr(sample, "write_sample_dataset", lambda d, **o: write_sample_dataset(d, **{**SMALL, **o}))
    assert sample_dataset(target) == target
    assert check_dataset(target) == []
    assert [path.name for path in tmp_path.iterdir()] == ["sample"]


def test_simultaneous_processes_all_get_the_sample(tmp_path):
    context = multiprocessing.get_context("fork" if hasattr(os, "fork") else "spawn")
    target = str(tmp_path / "sample")
    with context.Pool(3) as pool:
        assert set(pool.map(_small_sample, [target] * 3)) == {target}
    assert check_dataset(target) == []
    assert [path.name for path in tmp_path.iterdir()] == ["sample"]
