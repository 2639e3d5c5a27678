"""Behaviour that all layouts share: protection of folders, updates, several processes."""

from __future__ import annotations

import json
import os

import pytest

from cellseg_monai.data import load_datalist, write_datalist
from cellseg_monai.data.parallel import available_workers, map_parallel
from cellseg_monai.datasets.preparing import prepare, runner
from cellseg_monai.errors import DatasetError
from tests.contracts.preparer import contents, noise, save, save_pairs, snapshot


@pytest.fixture
def raw(tmp_path):
    return save_pairs(tmp_path / "raw", [f"p{number // 4}_A01_s{number}" for number in range(40)])


def test_several_processes_write_the_same_as_one(raw, tmp_path):
    one, two = (prepare(raw, tmp_path / str(workers), workers=workers) for workers in (1, 2))
    assert contents(one.output) == contents(two.output)
    assert (two.images, two.written, two.objects) == (40, 40, 40)


def test_a_dead_process_is_reported_and_prepared_images_are_kept(raw, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "convert", _die_at_some)
    with pytest.raises(ChildProcessError, match=r"one of 2 processes died.*continue where it stopped"):
        prepare(raw, tmp_path / "out", workers=2)
    monkeypatch.undo()
    done = prepare(raw, tmp_path / "out", workers=1)
    assert done.images == 40
    assert done.written < 40


def _die_at_some(work, **places):
    if work.stem.endswith("9"):
        os._exit(1)
    return runner.convert(work, **places)


def test_the_record_describes_the_preparation(raw, tmp_path):
    save(raw / "images" / "alone.tif", noise((6, 8)))
    output = prepare(raw, tmp_path / "out", workers=1).output
    record = json.loads((output / "prepared.json").read_text())
    assert record["totals"] == {"images": 40, "objects": 40}
    assert record["faults"][0].startswith("images/alone.tif: missing-partner: no matching label in labels/")
    assert record["sections"].startswith("none published, so groups were split 70, 15 and 15 %")
    assert record["versions"].keys() == {"cellseg_monai", "numpy", "scikit-image", "tifffile", "pillow"}
    assert record["images"][0]["source"] == "images/p0_A01_s0.tif"


@pytest.mark.parametrize("where", ["raw", "raw/prepared", "."])
def test_the_output_cannot_overlap_with_the_raw_folder(raw, where):
    with pytest.raises(DatasetError, match="overlaps with the raw folder"):
        prepare(raw, raw.parent / where)


def test_a_folder_with_other_content_is_not_written_to(raw, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.doc").write_text("mine")
    with pytest.raises(DatasetError, match="files that `cellseg data prepare` did not write; choose another --output"):
        prepare(raw, tmp_path / "out")


def test_two_layouts_cannot_be_mixed(raw, tmp_path):
    prepare(raw, tmp_path / "out", workers=1)
    with pytest.raises(
        DatasetError, match="got the layout images_only, but this folder was prepared from the layout cellseg_tiff"
    ):
        prepare(raw, tmp_path / "out", layout="images_only")


def test_a_missing_or_empty_folder_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="no such folder"):
        prepare(tmp_path / "nothing", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"no files match the layout ctc; expected 01/t000.tif"):
        prepare(tmp_path / "empty", tmp_path / "out", layout="ctc")


def test_a_datalist_that_somebody_changed_is_kept(raw, tmp_path):
    output = prepare(raw, tmp_path / "out", workers=1).output
    changed = load_datalist(output)
    changed["training"], changed["validation"] = changed["training"][1:], []
    write_datalist(output / "datalist.json", changed)
    before = snapshot(output)["datalist.json"]
    done = prepare(raw, tmp_path / "out", workers=1)
    assert [(fault.place, fault.severity) for fault in done.faults] == [("datalist.json", "warning")]
    assert snapshot(output)["datalist.json"] == before


def test_files_without_a_raw_file_are_reported(raw, tmp_path):
    prepare(raw, tmp_path / "out", workers=1)
    (raw / "images" / "p0_A01_s0.tif").unlink()
    (raw / "labels" / "p0_A01_s0_label.tiff").unlink()
    done = prepare(raw, tmp_path / "out", workers=1)
    assert [fault.place for fault in done.faults] == ["images/p0_A01_s0.tif", "labels/p0_A01_s0.tif"]
    assert done.images == 39
    assert "p0_A01_s0" not in (done.output / "datalist.json").read_text()


def test_a_deleted_label_is_written_again(raw, tmp_path):
    output = prepare(raw, tmp_path / "out", workers=1).output
    (output / "labels" / "p0_A01_s0.tif").unlink()
    assert prepare(raw, output, workers=1).written == 1


def test_the_number_of_workers_depends_on_the_number_of_items():
    assert available_workers(5, 8) == 1
    assert available_workers(33, 2) == 2
    with pytest.raises(ValueError, match="got workers=0, expected at least 1"):
        available_workers(5, 0)


def test_results_are_paired_with_their_items():
    assert dict(map_parallel(abs, [-1, 2], title="counting")) == {-1: 1, 2: 2}
