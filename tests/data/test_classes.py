"""The classes of cells: read from tables, images and tags, with every fault in a data set reported at once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cellseg_monai import io
from cellseg_monai.data import (
    cell_classes,
    check_classes,
    check_dataset,
    load_datalist,
    section_items,
    two_kinds,
    write_sample_dataset,
)
from cellseg_monai.data.class_faults import class_faults
from cellseg_monai.data.datalist import propose_datalist
from cellseg_monai.data.misspelt import misspelt
from cellseg_monai.data.synthetic_kinds import KINDS_OF_CELLS
from cellseg_monai.errors import DatasetError
from cellseg_monai.heads import CellClassHead, ForegroundHead, ImageClassHead, JoinedHeads
from cellseg_monai.labels import class_image

LABELS = np.array([[0, 4, 4, 9], [7, 7, 0, 9]])
NAMES = ("round", "long")
HEAD = JoinedHeads((ForegroundHead(), CellClassHead(NAMES), ImageClassHead(("A172", "BV2"), tag="cell_type")))


def item_with(folder: Path, table: str) -> dict:
    (folder / "a.csv").write_text(table)
    return {"image": str(folder / "a.tif"), "group": "a", "classes": str(folder / "a.csv")}


class TestTables:
    def test_columns_and_rows_can_be_in_any_order_and_classes_unknown(self, tmp_path) -> None:
        item = item_with(tmp_path, "class,area_px,id\nlong,2,9\n,2,7\nround,2,4\n")
        classes, faults = cell_classes(item, LABELS, NAMES)
        assert faults == []
        assert classes.tolist() == [[9, 1], [4, 0]]

    def test_a_table_without_rows_suits_any_image(self, tmp_path) -> None:
        classes, faults = cell_classes(item_with(tmp_path, "id,class\n"), LABELS, NAMES)
        assert (classes.shape, faults) == ((0, 2), [])

    @pytest.mark.parametrize(
        ("table", "kind", "message"),
        [
            (
                "id,class\n4,rond\n7,rond\n",
                "class-value",
                "row 2: got the class 'rond', expected one of round, long;",
            ),
            ("id,class\n4,rond\n7,rond\n", "class-value", r"'round'\? \(and 1 more like this\)"),
            ("id,class\n5,round\n", "class-labels", "row 2: the label image has no object 5"),
            ("id,class\n4,round\n4,long\n", "class-labels", "object 4 has 2 rows, expected one"),
            ("id,class\n4.5,round\n", "class-labels", "got the id '4.5', expected a whole number"),
            ("number,class\n4,round\n", "class-labels", "got the columns number, class, expected id and class"),
            ("", "class-labels", "got the columns none, expected id and class"),
        ],
    )
    def test_wrong_tables_are_reported(self, tmp_path, table, kind, message) -> None:
        _, [(found, text)] = cell_classes(item_with(tmp_path, table), LABELS, NAMES)
        assert found == kind
        with pytest.raises(ValueError, match=message):
            raise ValueError(text)


class TestImages:
    def item(self, folder: Path, pixels: list, names: list | None) -> dict:
        io.write_labels(folder / "classes.tif", np.array(pixels, np.int32))
        item = {"image": "a.tif", "group": "a", "classes": str(folder / "classes.tif")}
        return item if names is None else {**item, "class_names": names}

    def test_numbers_mean_the_names_of_the_data_set(self, tmp_path) -> None:
        item = self.item(tmp_path, [[0, 1, 1, 2], [0, 0, 0, 2]], ["long", "round"])
        classes, faults = cell_classes(item, LABELS, NAMES)
        assert faults == []
        assert classes.tolist() == [[4, 1], [9, 0]]

    @pytest.mark.parametrize(
        ("pixels", "names", "message"),
        [
            ([[0, 1, 2, 0], [0, 0, 0, 0]], ["round", "long"], "1 object(s) have pixels of several classes: 4"),
            ([[2, 1, 1, 0], [0, 0, 0, 0]], ["round", "long"], "1 pixel(s) have a class but belong to no object"),
            (
                [[0, 3, 3, 0], [0, 0, 0, 0]],
                ["round", "long"],
                "got the class numbers 3, expected 0 to 2 for round, long",
            ),
            ([[0, 1, 1, 0], [0, 0, 0, 0]], None, "needs the names of its classes"),
            ([[0, 1, 1, 0], [0, 0, 0, 0]], ["round", "logn"], "got the class 'logn'"),
            ([[0, 1, 1, 0]], ["round", "long"], "got an image of 1 × 4 pixels for labels of 2 × 4"),
        ],
        ids=["mixed", "outside", "out of range", "no names", "a wrong name", "another size"],
    )
    def test_images_at_odds_with_the_cells_are_reported(self, tmp_path, pixels, names, message) -> None:
        _, faults = cell_classes(self.item(tmp_path, pixels, names), LABELS, NAMES)
        assert [message in text for _, text in faults] == [True]


def test_a_tag_names_the_class_of_all_cells() -> None:
    item = {"image": "a.tif", "group": "a", "tags": {"kind": "long"}}
    assert cell_classes(item, LABELS, NAMES, "kind")[0].tolist() == [[4, 1], [7, 1], [9, 1]]
    assert len(cell_classes(item, LABELS, NAMES, "")[0]) == 0
    assert len(cell_classes({**item, "tags": {"kind": ""}}, LABELS, NAMES, "kind")[0]) == 0


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Six images with classes and a cell type each, and no faults."""
    entries = []
    for number in range(6):
        np.save(tmp_path / f"{number}.npy", np.zeros(LABELS.shape, np.uint8))
        io.write_labels(tmp_path / f"{number}.tif", LABELS.astype(np.int32))
        (tmp_path / f"{number}.csv").write_text("id,class\n4,round\n7,long\n9,long\n")
        entries.append(
            {
                "image": f"{number}.npy",
                "label": f"{number}.tif",
                "classes": f"{number}.csv",
                "tags": {"cell_type": "A172"},
            }
        )
    (tmp_path / "datalist.json").write_text(json.dumps({"training": entries}))
    return tmp_path


def change(dataset: Path, number: int, **values: object) -> None:
    content = json.loads((dataset / "datalist.json").read_text())
    entry = content["training"][number]
    entry.update(values)
    content["training"][number] = {key: value for key, value in entry.items() if value is not None}
    (dataset / "datalist.json").write_text(json.dumps(content))


def found(dataset: Path, head: JoinedHeads = HEAD, **options: object) -> list[str]:
    return list(map(str, class_faults(section_items(dataset, "training"), head, dataset, **options)))


class TestWholeDataSets:
    def test_a_complete_data_set_has_no_faults(self, dataset) -> None:
        assert found(dataset, required=True) == []
        check_classes(section_items(dataset, "training"), HEAD, dataset, required=True)

    def test_every_fault_is_reported_at_once(self, dataset) -> None:
        change(dataset, 0, tags={"cell_type": "A17"})
        change(dataset, 1, tags={"cel_type": "BV2"})
        (dataset / "2.csv").write_text("id,class\n4,rond\n")
        (dataset / "3.csv").write_text("id,class\n77,round\n")
        with pytest.raises(DatasetError) as caught:
            check_classes(section_items(dataset, "training"), HEAD, dataset)
        assert str(caught.value).splitlines()[1:] == [
            "0.npy: class-value: cell_type: got the class 'A17', expected one of A172, BV2; did you mean 'A172'?",
            "1.npy: class-tag: got the tag 'cel_type', which no other image has; did you mean 'cell_type'?",
            "2.csv: class-value: row 2: got the class 'rond', expected one of round, long; did you mean 'round'?",
            "3.csv: class-labels: row 2: the label image has no object 77; correct the id, or remove the row",
            "4 errors, 0 warnings in 4 places",
        ]

    def test_unknown_classes_are_faults_only_where_classes_are_required(self, dataset) -> None:
        change(dataset, 0, tags=None, classes=None)
        (dataset / "1.csv").write_text("id,class\n4,round\n")
        assert found(dataset) == []
        assert found(dataset, required=True) == [
            "0.npy: class-missing: 3 of 3 cells have no class, such as 4; add their classes, or do not require classes",
            "0.npy: class-missing: got no tag 'cell_type', expected one of A172, BV2; add the tag, or do not require "
            "classes",
            "1.csv: class-missing: 2 of 3 cells have no class, such as 7; add their classes, or do not require classes",
        ]

    def test_a_tag_can_take_the_place_of_a_table(self, dataset) -> None:
        change(dataset, 0, tags={"cell_type": "A172", "kind": "long"}, classes=None)
        change(dataset, 1, tags={"cell_type": "A172", "kind": "lnog"}, classes=None)
        head = JoinedHeads((CellClassHead(NAMES, "kind"), HEAD.heads[2]))
        assert found(dataset, head, required=True) == [
            "1.npy: class-missing: 3 of 3 cells have no class, such as 4; add their classes, or do not require classes",
            "1.npy: class-value: kind: got the class 'lnog', expected one of round, long; did you mean 'long'?",
        ]

    def test_a_missing_file_is_a_fault_of_the_datalist(self, dataset) -> None:
        change(dataset, 0, classes="gone.csv")
        with pytest.raises(DatasetError, match=r"training\[0\]: classes 'gone.csv' not found"):
            load_datalist(dataset)

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"classes": 3}, "got the classes 3, expected the path of a table or an image"),
            ({"class_names": "round"}, "class_names: got the classes 'round', expected a list"),
            ({"label": None}, "got classes for an image without a label"),
        ],
    )
    def test_a_malformed_entry_is_a_fault_of_the_datalist(self, dataset, values, message) -> None:
        change(dataset, 0, **values)
        with pytest.raises(DatasetError, match=message):
            load_datalist(dataset)

    def test_a_new_split_keeps_the_classes(self, tmp_path) -> None:
        folder = write_sample_dataset(
            tmp_path / "sample", modality="kinds", counts=(4, 2, 2), shape=(48, 48), images_per_plate=1
        )
        sections, _, _ = propose_datalist(folder, seed=5)
        items = [item for section in sections.values() for item in section]
        assert len(items) == 8
        assert all(Path(item["classes"]).stem == Path(item["image"]).stem for item in items)


class TestGeneratedImages:
    @pytest.mark.parametrize("modality", ["kinds", "textures"])
    def test_the_sample_has_a_class_for_each_cell_and_a_treatment(self, tmp_path, modality) -> None:
        folder = write_sample_dataset(tmp_path / "sample", modality=modality, counts=(4, 2, 2), shape=(96, 96))
        names = KINDS_OF_CELLS["shape" if modality == "kinds" else "texture"]
        head = JoinedHeads((CellClassHead(names), ImageClassHead(("control", "treated"), tag="treatment")))
        for section in ("training", "validation", "test"):
            check_classes(section_items(folder, section), head, folder, required=True)

    def test_textures_have_the_same_brightness_and_different_grain(self) -> None:
        pictures = [two_kinds((256, 256), seed=seed, differ_in="texture") for seed in range(6)]
        means: dict[str, list[float]] = {"smooth": [], "grainy": []}
        grains: dict[str, list[float]] = {"smooth": [], "grainy": []}
        for picture in pictures:
            for number, name in enumerate(picture.classes, start=1):
                pixels = picture.image[picture.labels == number].astype(float)
                means[name].append(pixels.mean())
                grains[name].append(pixels.std() / pixels.mean())
        spread = np.std(means["smooth"])
        assert abs(np.mean(means["smooth"]) - np.mean(means["grainy"])) < 0.5 * spread
        assert np.mean(grains["grainy"]) > 1.2 * np.mean(grains["smooth"])

    def test_a_share_of_one_gives_the_second_kind_alone(self) -> None:
        assert set(two_kinds((128, 128), seed=0, share=1.0).classes) == {"elongated"}

    def test_classes_fit_the_labels(self) -> None:
        picture = two_kinds((128, 128), seed=3)
        assert len(picture.classes) == picture.labels.max()
        ids = np.arange(1, len(picture.classes) + 1)
        shown = class_image(picture.labels, np.stack([ids, ids % 2], axis=1))
        assert ((shown == -1) == (picture.labels == 0)).all()

    @pytest.mark.parametrize("wrong", [{"shape": (16, 64)}, {"differ_in": "size"}, {"share": 2}])
    def test_arguments_out_of_range_are_refused(self, wrong) -> None:
        with pytest.raises(ValueError, match="expected"):
            two_kinds(**{"seed": 0, **wrong})


class TestCheckOfADataSet:
    """`check_dataset` knows no head, but finds what cannot be right."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return write_sample_dataset(tmp_path / "kinds", modality="kinds", counts=(2, 1, 1), shape=(64, 64))

    @staticmethod
    def found(folder: Path) -> list[tuple[str, str, str]]:
        kinds = ("class-labels", "class-value")
        return [(fault.place, fault.kind, fault.message) for fault in check_dataset(folder) if fault.kind in kinds]

    def test_good_classes_have_no_fault(self, folder: Path) -> None:
        assert self.found(folder) == []

    def test_a_table_that_does_not_fit_its_labels_and_one_that_is_missing_are_named(self, folder: Path) -> None:
        first, second, *_ = sorted((folder / "classes").glob("*.csv"))
        first.write_text("id,class\n999,round\n")
        second.unlink()
        (stray, missing) = self.found(folder)
        assert stray[:2] == (f"classes/{first.name}", "class-labels")
        assert "row 2: the label image has no object 999" in stray[2]
        assert missing[0] == f"classes/{second.name}"
        assert "cannot read the classes" in missing[2]

    def test_a_name_that_is_misspelt_in_one_image_is_one_warning_however_often(self, folder: Path) -> None:
        path = next(path for path in sorted((folder / "classes").glob("*.csv")) if "round" in path.read_text())
        path.write_text(path.read_text().replace("round", "rond"))
        ((place, kind, message),) = self.found(folder)
        assert (place, kind) == (f"classes/{path.name}", "class-value")
        assert message == "got 'rond' in one image, and 'round' in 3; is it misspelt?"

    def test_a_tag_that_is_misspelt_in_one_image_is_a_warning(self, folder: Path) -> None:
        content = json.loads((folder / "datalist.json").read_text())
        items = [item for section in content.values() if isinstance(section, list) for item in section]
        for number, item in enumerate(items):
            item["tags"] = {"treatment": "control", "plate": f"plate {number}", "dose_um": number}
        items[0]["tags"]["treatment"] = "contorl"
        (folder / "datalist.json").write_text(json.dumps(content))
        message = f"treatment: got 'contorl' in one image, and 'control' in {len(items) - 1}; is it misspelt?"
        assert self.found(folder) == [(items[0]["image"], "class-value", message)]

    def test_labels_that_cannot_be_read_are_reported_once(self, folder: Path) -> None:
        label = next((folder / "labels").iterdir())
        label.write_bytes(b"no labels")
        place = f"labels/{label.name}"
        assert [(fault.place, fault.kind) for fault in check_dataset(folder)] == [(place, "unreadable")]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([{"round"}, {"round"}, {"rond"}], [2]),
        ([{"round"}, {"rond"}], []),
        ([{"rond"}, {"round"}, {"rond"}, {"round"}], []),
        ([{"female"}, {"female"}, {"male"}], []),
        ([{"plate 1"}, {"plate 1"}, {"plate 2"}], []),
        ([{"round", "rond"}, {"round"}], [0]),
    ],
    ids=["misspelt", "both rare", "both frequent", "another length", "another number", "beside the right one"],
)
def test_a_rare_name_like_a_frequent_one_is_probably_misspelt(names: list[set[str]], found: list[int]) -> None:
    assert [position for position, _ in misspelt(names)] == found
