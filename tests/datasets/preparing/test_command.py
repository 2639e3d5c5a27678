"""The commands `cellseg data prepare` and `cellseg data select`, and the possible names of a data set."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from cellseg_monai import cli
from cellseg_monai.datasets.preparing import prepare, source
from cellseg_monai.datasets.preparing.source import find_raw_data
from cellseg_monai.datasets.registry import find_data_set
from cellseg_monai.errors import DatasetError
from tests.contracts.preparer import noise, save, save_pairs
from tests.io.test_tiff_sets import write_set


@pytest.fixture
def cellseg(monkeypatch, capsys):
    """A function that runs the command in this process and returns its exit code, output and errors."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["cellseg", *map(str, words)])
        try:
            cli.main()
            code = 0
        except SystemExit as stop:
            code = stop.code
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def raw(tmp_path):
    return save_pairs(tmp_path / "raw", "0123")


def test_a_folder_is_prepared_with_a_short_report(cellseg, raw, tmp_path):
    code, out, err = cellseg("data", "prepare", raw, "--output", tmp_path / "out")
    assert (code, err) == (0, "")
    assert f"{tmp_path / 'out'}: 4 images (4 written now), 4 objects; cellseg_tiff" in out
    assert "sections: none published, so groups were split 70, 15 and 15 %" in out
    code, out, _ = cellseg("data", "prepare", raw, "--output", tmp_path / "out")
    assert "4 images (0 written now)" in out
    assert cellseg("data", "check", tmp_path / "out")[0] == 0


def test_files_that_cannot_be_prepared_are_reported_after_the_rest_is_done(cellseg, raw, tmp_path):
    save(raw / "images" / "alone.tif", noise((6, 8)))
    (raw / "images" / "3.tif").write_bytes(b"II*\0")
    code, out, err = cellseg("data", "prepare", raw, "--output", tmp_path / "out")
    assert code == 1
    assert "3 images (3 written now)" in out
    assert [line.split(": ")[1:3] for line in err.splitlines()] == [
        ["images/3.tif", "unreadable"],
        ["images/alone.tif", "missing-partner"],
    ]


def test_an_interrupt_is_reported_with_a_way_to_resume(cellseg, raw, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("cellseg_monai.datasets.preparing.prepare", stop)
    code, _, err = cellseg("data", "prepare", raw, "--output", tmp_path / "out")
    assert (code, err) == (130, "stopped; run the same command again to continue\n")


def test_an_unclear_layout_must_be_given(cellseg, tmp_path):
    save(tmp_path / "raw" / "a.tif", noise((6, 8)))
    code, _, err = cellseg("data", "prepare", tmp_path / "raw", "--output", tmp_path / "out")
    assert code == 1
    assert "choose one of these with --layout" in err
    assert cellseg("data", "prepare", tmp_path / "raw", "--output", tmp_path / "out", "--layout", "images_only")[0] == 0


def test_files_that_are_one_image_are_prepared_once(cellseg, tmp_path, caplog):
    (tmp_path / "raw").mkdir()
    write_set(tmp_path / "raw")
    words = ("data", "prepare", tmp_path / "raw", "--output", tmp_path / "out", "--layout", "images_only")
    assert cellseg(*words)[0] == 0
    assert [path.name for path in (tmp_path / "out" / "images").iterdir()] == ["a.ome.tif"]
    assert "3 files are one image" in caplog.text


def test_a_source_that_is_neither_folder_nor_name_is_refused():
    with pytest.raises(DatasetError, match="no such folder, and no data set named 'bbbc093'; did you mean bbbc039"):
        find_raw_data("bbbc093")


@pytest.fixture
def fetched(raw, tmp_path, monkeypatch):
    """The names that were fetched, by a replacement that makes Usiigaci, whose layout begins in an inner folder."""
    from cellseg_monai.datasets.fetching import Fetched
    from cellseg_monai.datasets.fetching.provenance import write_source

    asked = []

    def fetch(data_set, *, progress):
        asked.append(data_set.name)
        inner = tmp_path / "fetched" / data_set.folder / "train" / "set1"
        save(inner / "raw.tif", noise((6, 8)))
        save(inner / "instances_ids.png", np.eye(6, 8, dtype=np.uint16))
        write_source(tmp_path / "fetched", data_set, [])
        return Fetched(data_set, tmp_path / "fetched", ())

    monkeypatch.setattr(source, "fetch_data_set", fetch)
    return asked


def test_a_name_is_fetched_and_prepared_by_the_registry(cellseg, fetched, tmp_path):
    code, out, err = cellseg("data", "prepare", "usiigaci", "--output", tmp_path / "out")
    assert (code, err) == (0, "")
    assert fetched == ["usiigaci"]
    assert "licence:      MIT" in out
    assert "1 images (1 written now), 1 objects; colour_labels" in out
    assert "- licence: MIT" in (tmp_path / "out" / "SOURCE.md").read_text()


def test_a_fetched_folder_is_recognised(fetched):
    first = find_raw_data("usiigaci")
    again = find_raw_data(str(first.source_file.parent))
    assert again == first
    assert again.layout == find_data_set("usiigaci").layout
    assert fetched == ["usiigaci"]


@pytest.mark.parametrize("renamed", ["Usiigaci-main", "Usiigaci-main/Masks"], ids=["the outer", "both"])
def test_a_fetched_folder_with_renamed_single_folders_is_prepared(fetched, tmp_path, cellseg, renamed):
    folder = find_raw_data("usiigaci").source_file.parent
    outer = folder / Path(find_data_set("usiigaci").folder).parts[0]
    for place, name in zip((outer, folder / "Usiigaci-main" / "Mask R-CNN"), Path(renamed).parts, strict=False):
        place.rename(place.with_name(name))
    assert find_raw_data(str(folder)).folder == folder / ("Usiigaci-main/Mask R-CNN" if "/" not in renamed else renamed)
    assert "1 objects" in cellseg("data", "prepare", folder, "--output", tmp_path / "out")[1]


def test_a_fetched_folder_without_the_folder_of_its_layout_is_refused(fetched):
    folder = find_raw_data("usiigaci").source_file.parent
    outer = folder / Path(find_data_set("usiigaci").folder).parts[0]
    (outer / "Mask R-CNN").rename(outer / "Masks")
    (outer / "U-Net").mkdir()
    with pytest.raises(DatasetError, match=r"has no Mask R-CNN/, only Masks, U-Net; fetch the data set again"):
        find_raw_data(str(folder))


def test_a_selection_is_reported_and_not_overwritten(cellseg, raw, tmp_path):
    output = prepare(raw, tmp_path / "out", workers=1).output
    words = ("data", "select", output, "--selection", "few_shot", "--output", tmp_path / "few.json", "--images", "2")
    code, out, _ = cellseg(*words)
    assert code == 0
    assert "few.json: 2 training, 1 validation, 1 test; 0 dropped" in out
    assert (tmp_path / "few.manifest.json").is_file()
    code, _, err = cellseg(*words)
    assert code == 1
    assert "already exists; pass --overwrite to replace it" in err
    assert cellseg(*words, "--overwrite")[0] == 0


def test_a_misspelt_setting_is_refused(cellseg, raw, tmp_path):
    output = prepare(raw, tmp_path / "out", workers=1).output
    code, _, err = cellseg(
        "data", "select", output, "--selection", "few_shot", "--output", tmp_path / "few.json", "--image", "2"
    )
    assert code == 1
    assert "unknown setting 'image'" in err
    assert "did you mean 'images'?" in err
    assert not Path(tmp_path / "few.json").exists()


def test_a_date_can_be_the_name_of_a_folder(cellseg, raw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    raw.rename(tmp_path / "2024_01_15")
    assert cellseg("data", "prepare", "2024_01_15", "--output", "2024_01_16")[0] == 0
    for command in ("check", "show", "split"):
        assert cellseg("data", command, "2024_01_16", *(["--overwrite"] if command == "split" else []))[0] == 0
    code, _, err = cellseg("data", "split", "2024_01_16", "--overwrite", "false")
    assert code == 1
    assert "already exists" in err


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="needs a place where not even root can write")
def test_a_place_that_cannot_be_written_is_reported_with_a_remedy(cellseg, raw):
    code, _, err = cellseg("data", "prepare", raw, "--output", "/sys/out")
    assert code == 1
    assert re.fullmatch("error: /sys/out: [^;]+; choose another path, or make this one readable and writable\n", err)
