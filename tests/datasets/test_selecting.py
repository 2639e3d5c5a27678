"""Selections: the images that they keep, their sections, and the reasons for dropped images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cellseg_monai.data import check_dataset, load_datalist, write_datalist
from cellseg_monai.datasets.preparing import prepare
from cellseg_monai.datasets.selecting import select, selection_names
from cellseg_monai.errors import DatasetError
from tests.contracts.preparer import noise, save

SIZE = (6, 8)


def stems(path, section):
    return [Path(item["image"]).stem for item in load_datalist(path.parent, path)[section]]


@pytest.fixture
def cellseg(tmp_path):
    """A prepared CellSeg folder with grey and colour images in various file formats."""
    grey, equal = noise(SIZE), np.repeat(noise(SIZE, "uint8")[..., None], 3, axis=2)
    almost = equal.copy()
    almost[2, 3, 1] ^= 1
    translucent = np.dstack([equal, noise(SIZE, "uint8", seed=5)])
    images = {
        "cell_01.tif": grey,
        "cell_02.TIFF": grey + 1,
        "cell_03.tiff": equal,
        "cell_04.tif": almost,
        "cell_05.tif": translucent,
        "cell_06.png": noise(SIZE, "uint8", seed=6),
        "cell_07.tif": grey + 2,
        "cell_08.bmp": equal + 1,
    }
    for part, names in {"Training": list(images), "Tuning": ["cell_01.tif", "cell_06.png"]}.items():
        for name in names:
            save(tmp_path / "raw" / part / "images" / name, images[name])
            stem = name.split(".")[0]
            save(tmp_path / "raw" / part / "labels" / f"{stem}_label.tiff", np.eye(*SIZE, dtype=np.uint16))
    done = prepare(tmp_path / "raw", tmp_path / "prepared", workers=1)
    assert done.faults == []
    return done.output


class TestGreyTiff:
    def test_grey_tiffs_are_kept_in_any_case_and_others_dropped_with_a_reason(self, cellseg, tmp_path):
        done = select(cellseg, "grey_tiff", tmp_path / "grey.json", settings={"images": 2})
        assert stems(done.datalist, "training") == ["Training_cell_01", "Training_cell_02", "Training_cell_03"]
        assert stems(done.datalist, "validation") == ["Training_cell_05", "Training_cell_07"]
        assert stems(done.datalist, "test") == ["Tuning_cell_01"]
        assert done.dropped == {
            "images/Training_cell_04.tif": "its 3 channels differ in 1 of 48 pixels",
            "images/Training_cell_06.png": "the suffix is .png, and only .tif and .tiff are kept",
            "images/Training_cell_08.bmp": "the suffix is .bmp, and only .tif and .tiff are kept",
            "images/Tuning_cell_06.png": "the suffix is .png, and only .tif and .tiff are kept",
        }

    def test_the_manifest_records_the_selection_and_its_outcome(self, cellseg, tmp_path):
        done = select(cellseg, "grey_tiff", tmp_path / "grey.json", settings={"images": 1})
        manifest = json.loads((tmp_path / "grey.manifest.json").read_text())
        assert manifest["counts"] == done.counts == {"training": 4, "validation": 1, "test": 1}
        assert manifest["dropped"] == done.dropped
        assert manifest["images_before"] == 10
        assert manifest["steps"][-1]["images"] == 1
        assert "491 training and 58 tuning" in manifest["source"]

    def test_the_datalist_can_be_checked(self, cellseg, tmp_path):
        done = select(cellseg, "grey_tiff", tmp_path / "grey.json", settings={"images": 1})
        faults = check_dataset(cellseg, done.datalist)
        assert {fault.kind for fault in faults if fault.severity == "error"} == {
            "duplicate"
        }  # cell_01 is in both parts


def test_twenty_images_are_held_out_from_the_end_or_the_beginning(cellseg, tmp_path):
    last = select(cellseg, "validation_20", tmp_path / "last.json", settings={"images": 2})
    first = select(cellseg, "validation_20", tmp_path / "first.json", settings={"images": 2, "take": "first"})
    assert stems(last.datalist, "validation") == ["Training_cell_07", "Training_cell_08"]
    assert stems(first.datalist, "validation") == ["Training_cell_01", "Training_cell_02"]
    assert len(stems(first.datalist, "test")) == 2
    with pytest.raises(
        DatasetError, match="got images=20 to hold out, expected at least 1 and fewer than the 8 images in training"
    ):
        select(cellseg, "validation_20", tmp_path / "all.json")


def test_larger_samples_of_a_seed_contain_smaller_ones(cellseg, tmp_path):
    drawn = {}
    for images in (1, 2, 4):
        done = select(cellseg, "few_shot", tmp_path / f"{images}.json", settings={"images": images, "seed": 3})
        drawn[images] = set(stems(done.datalist, "training"))
        assert done.counts == {"training": images, "validation": 1, "test": 2}
    assert drawn[1] < drawn[2] < drawn[4]
    other = select(cellseg, "few_shot", tmp_path / "other.json", settings={"images": 4, "seed": 4})
    assert set(stems(other.datalist, "training")) != drawn[4]


class TestLivecell:
    @pytest.fixture
    def livecell(self, tmp_path):
        names = [f"A172_Phase_{row}7_1_00d{hour:02d}h00m_1.tif" for row in "ABCD" for hour in (0, 4)]
        for number, name in enumerate(names):
            save(tmp_path / "raw" / "images" / name, noise(SIZE, "uint8", seed=number))
        subsets = {"livecell_coco_train": names[:6], "livecell_coco_val": names[6:7], "livecell_coco_test": names[7:]}
        for file, listed in {**subsets, "0_train2percent": names[2:3], "2_train5percent": names[2:4]}.items():
            images = [{"id": number, "file_name": name} for number, name in enumerate(listed)]
            (tmp_path / "raw" / f"{file}.json").write_text(json.dumps({"images": images, "annotations": []}))
        return prepare(tmp_path / "raw", tmp_path / "prepared", workers=1).output

    def test_published_subsets_come_from_its_lists(self, livecell, tmp_path):
        done = select(livecell, "livecell_2_percent", tmp_path / "two.json")
        assert done.counts == {"training": 1, "validation": 1, "test": 1}
        assert stems(done.datalist, "training") == ["A172_Phase_B7_1_00d00h00m_1"]
        assert set(done.dropped.values()) == {"not in 0_train2percent"}

    def test_a_missing_list_is_reported(self, livecell, tmp_path):
        with pytest.raises(DatasetError, match=r"without a list named '4_train50percent' .*add the list"):
            select(livecell, "livecell_50_percent", tmp_path / "fifty.json")

    @pytest.mark.parametrize("selection", ["by_well", "by_sequence"])
    def test_wells_and_sequences_stay_together(self, livecell, tmp_path, selection):
        done = select(livecell, selection, tmp_path / "split.json")
        assert done.counts == {"training": 4, "validation": 2, "test": 2}
        items = [item for listed in load_datalist(livecell, done.datalist).values() for item in listed]
        assert [item["tags"] for item in items] == 8 * [{"cell_type": "A172"}]
        homes = {}
        for section, items in load_datalist(livecell, done.datalist).items():
            for item in items:
                homes.setdefault(Path(item["image"]).stem[:13], set()).add(section)
        assert all(len(sections) == 1 for sections in homes.values())


@pytest.mark.parametrize(
    ("selection", "names", "groups"),
    [
        pytest.param("by_plate", ["p1_A01_s1", "p1_B02_s1", "p2_A01_s1"], ["p1", "p1", "p2"], id="plates"),
        pytest.param("by_well", ["p1_A01_s1", "p1_A01_s2", "p2_A01_s1"], ["p1_A01", "p1_A01", "p2_A01"], id="wells"),
        pytest.param("by_well", ["IXMtest_A02_s1_w1051DAA7C", "A3-f1"], ["IXMtest_A02", "A3"], id="other wells"),
        pytest.param("by_sequence", ["01_t000", "01_t001", "02_t000"], ["01", "01", "02"], id="frames"),
        pytest.param("by_sequence", ["hela_a_012", "hela_b_t7_c1"], ["hela_a", "hela_b"], id="numbers"),
    ],
)
def test_names_are_grouped(make_dataset, tmp_path, selection, names, groups):
    folder = make_dataset(names)
    done = select(folder, selection, tmp_path / "split.json")
    group_of = {
        Path(item["image"]).stem: item["group"]
        for items in load_datalist(folder, done.datalist).values()
        for item in items
    }
    assert group_of == dict(zip(names, groups, strict=True))


def test_names_without_a_group_are_reported(make_dataset, tmp_path):
    with pytest.raises(DatasetError, match=r"2 of 2 stems do not match .*: a, b; use a broader pattern"):
        select(make_dataset("ab"), "by_well", tmp_path / "split.json")


def test_a_selection_of_your_own_works_on_a_folder_that_was_not_prepared(make_dataset, tmp_path):
    folder = make_dataset("abcdef")
    write_datalist(folder / "datalist.json", load_datalist(folder))
    own = {"steps": [{"rule": "move", "section": "test", "to": "training"}]}
    (tmp_path / "own.json").write_text(json.dumps(own))
    done = select(folder, str(tmp_path / "own.json"), tmp_path / "list.json")
    assert done.counts["test"] == 0
    assert sum(done.counts.values()) == 6


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        pytest.param(
            [{"rule": "keep_gray"}], "expected a list of `steps`, each with one of these rules: keep_suffix", id="rule"
        ),
        pytest.param(
            [{"rule": "keep_grey", "of": 1}], "got the settings of for the rule keep_grey, expected none", id="too much"
        ),
        pytest.param(
            [{"rule": "move", "to": "test"}],
            "got the settings to for the rule move, expected section, to",
            id="too little",
        ),
        pytest.param(
            [{"rule": "move", "section": "val", "to": "test"}], "got the section 'val', expected one of", id="section"
        ),
        pytest.param(
            [{"rule": "keep_suffix", "suffixes": [".gif"]}],
            r"drops all 3 images \(the first is images/a.tif",
            id="none left",
        ),
        pytest.param("all", "expected a list of `steps`", id="no steps"),
    ],
)
def test_an_invalid_selection_is_refused(make_dataset, tmp_path, steps, message):
    (tmp_path / "own.json").write_text(json.dumps({"steps": steps}))
    with pytest.raises(ValueError, match=message):
        select(make_dataset("abc"), str(tmp_path / "own.json"), tmp_path / "list.json")
    assert not (tmp_path / "list.json").exists()


@pytest.mark.parametrize(
    ("selection", "settings", "message"),
    [
        pytest.param("few_shots", {}, "did you mean 'few_shot'", id="misspelt selection"),
        pytest.param("nothing.json", {}, "no such file; pass an existing file, or one of", id="no such file"),
        pytest.param("few_shot", {"image": 3}, "did you mean 'images'", id="misspelt setting"),
        pytest.param("few_shot", {"images": "many"}, "got images='many', expected .* same type as 5", id="text"),
        pytest.param("few_shot", {"images": 9}, "got images=9, expected 1 to", id="too many"),
        pytest.param(
            "validation_20", {"take": "middle"}, "got take='middle', expected first or last", id="neither end"
        ),
    ],
)
def test_wrong_arguments_are_reported(make_dataset, tmp_path, selection, settings, message):
    with pytest.raises(ValueError, match=message):
        select(make_dataset("abc"), selection, tmp_path / "list.json", settings=settings)


def test_every_selection_of_the_package_is_valid_and_has_a_source(make_dataset, tmp_path):
    from cellseg_monai.datasets.selecting import _read

    for name in selection_names():
        content = _read(name)
        assert content["summary"], name
        assert content["source"], name
    assert len(selection_names()) == 11
