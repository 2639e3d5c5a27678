"""What is the same for every layout: where one may write, what is kept, several processes."""

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


def test_several_processes_write_what_one_does(raw, tmp_path):
    one, two = (prepare(raw, tmp_path / str(workers), workers=workers) for workers in (1, 2))
    assert contents(one.output) == contents(two.output)
    assert (two.images, two.written, two.objects) == (40, 40, 40)


def test_a_process_that_dies_is_told_and_what_was_done_is_kept(raw, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "convert", _die_at_some)
    with pytest.raises(ChildProcessError, match=r"one of 2 processes died.*goes on where it stopped"):
        prepare(raw, tmp_path / "out", workers=2)
    monkeypatch.undo()
    done = prepare(raw, tmp_path / "out", workers=1)
    assert done.images == 40
    assert done.written < 40


def _die_at_some(work, **places):
    if work.stem.endswith("9"):
        os._exit(1)
    return runner.convert(work, **places)


def test_the_record_tells_what_was_done(raw, tmp_path):
    save(raw / "images" / "alone.tif", noise((6, 8)))
    output = prepare(raw, tmp_path / "out", workers=1).output
    record = json.loads((output / "prepared.json").read_text())
    assert record["totals"] == {"images": 40, "objects": 40}
    assert record["faults"][0].startswith("images/alone.tif: missing-partner: no label for it")
    assert record["sections"].startswith("none published: 70, 15 and 15 %")
    assert record["versions"].keys() == {"cellseg_monai", "numpy", "scikit-image", "tifffile", "pillow"}
    assert record["images"][0]["source"] == "images/p0_A01_s0.tif"


@pytest.mark.parametrize("where", ["raw", "raw/prepared", "."])
def test_it_writes_neither_into_nor_around_the_raw_folder(raw, where):
    with pytest.raises(DatasetError, match="overlaps with the raw folder"):
        prepare(raw, raw.parent / where)


def test_it_writes_into_no_folder_that_holds_something_else(raw, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.doc").write_text("mine")
    with pytest.raises(DatasetError, match="not prepared by `cellseg data prepare`; choose another --output"):
        prepare(raw, tmp_path / "out")


def test_it_mixes_no_two_layouts(raw, tmp_path):
    prepare(raw, tmp_path / "out", workers=1)
    with pytest.raises(DatasetError, match="prepared from the layout cellseg_tiff, and images_only came"):
        prepare(raw, tmp_path / "out", layout="images_only")


def test_a_folder_that_is_not_there_or_holds_nothing_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="no such folder"):
        prepare(tmp_path / "nothing", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"nothing of the layout ctc in it; expected 01/t000.tif"):
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


def test_what_comes_from_no_raw_file_any_more_is_told(raw, tmp_path):
    prepare(raw, tmp_path / "out", workers=1)
    (raw / "images" / "p0_A01_s0.tif").unlink()
    (raw / "labels" / "p0_A01_s0_label.tiff").unlink()
    done = prepare(raw, tmp_path / "out", workers=1)
    assert [fault.place for fault in done.faults] == ["images/p0_A01_s0.tif", "labels/p0_A01_s0.tif"]
    assert done.images == 39
    assert "p0_A01_s0" not in (done.output / "datalist.json").read_text()


def test_a_label_that_was_deleted_is_written_again(raw, tmp_path):
    output = prepare(raw, tmp_path / "out", workers=1).output
    (output / "labels" / "p0_A01_s0.tif").unlink()
    assert prepare(raw, output, workers=1).written == 1


def test_workers_are_no_more_than_pay_off():
    assert available_workers(5, 8) == 1
    assert available_workers(33, 2) == 2
    with pytest.raises(ValueError, match="workers 0: expected 1 or more"):
        available_workers(5, 0)


def test_results_come_with_their_items():
    assert dict(map_parallel(abs, [-1, 2], title="counting")) == {-1: 1, 2: 2}
