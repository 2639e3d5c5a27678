"""COCO files like those of LIVECell, and its known traps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cellseg_monai.data import load_datalist
from cellseg_monai.datasets.preparing import coco_file, prepare
from cellseg_monai.datasets.preparing.coco_masks import annotation_mask, decode_counts, polygons_mask
from cellseg_monai.errors import DatasetError
from cellseg_monai.io import read_labels
from tests.contracts.preparer import PreparerContract, noise, save

SIZE = (12, 16)
SQUARE = [[2, 1, 5, 1, 5, 4, 2, 4]]  # columns 2 to 4, rows 1 to 3
COUNTS = [8 * 12 + 6, 3, 9, 3, 75]  # columns 8 and 9, rows 6 to 8
COMPRESSED = {"size": list(SIZE), "counts": "V3390R2"}  # the same: 102, 3, 9, 3 - 3, 75 - 9


def annotation(image, segmentation, **more):
    return {"id": 1, "image_id": image, "category_id": 1, "segmentation": segmentation, "iscrowd": 0, **more}


def write_coco(path: Path, images: dict, annotations: list, as_objects: bool = False) -> None:
    entries = [{"id": number, "file_name": name, "height": 12, "width": 16} for number, name in images.items()]
    content = {"images": entries, "annotations": annotations, "categories": [{"id": 1, "name": "cell"}]}
    if as_objects:
        content["annotations"] = {str(number): entry for number, entry in enumerate(annotations)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def stem(cell_type: str, well: str, time: int = 0) -> str:
    return f"{cell_type}_Phase_{well}_1_00d{time:02d}h00m_1"


FIRST, SECOND, LATER, OTHER = stem("A172", "A7"), stem("SHSY5Y", "B3"), stem("A172", "A7", 4), stem("SkBr3", "C1")
TRAIN, VAL, TEST = {7: f"{FIRST}.tif", 9: f"{SECOND}.tif"}, {1: f"{LATER}.tif"}, {1: f"{OTHER}.tif"}


class TestCoco(PreparerContract):
    layout = "coco"

    def write(self, raw):
        # A polygon, run lengths and compressed ones in one file; a crowd.
        far = {"size": list(SIZE), "counts": [14 * 12, 3, 21]}
        train = [
            annotation(7, SQUARE),
            annotation(7, COMPRESSED),
            annotation(7, far),
            annotation(7, {"size": list(SIZE), "counts": COUNTS}, iscrowd=1),
            annotation(9, SQUARE),
        ]
        write_coco(raw / "annotations" / "livecell_coco_train.json", TRAIN, train)
        write_coco(raw / "annotations" / "livecell_coco_val.json", VAL, [annotation(1, SQUARE)], as_objects=True)
        write_coco(raw / "annotations" / "livecell_coco_test.json", TEST, [])
        for number, file in enumerate([*TRAIN.values(), *VAL.values()]):
            folder = raw / "images" / "livecell_train_val_images" / file.split("_")[0]
            save(folder / file, noise(SIZE, "uint8", seed=number))
        save(raw / "images" / "livecell_test_images" / "SkBr3" / TEST[1], noise(SIZE, "uint8", seed=9))
        return {FIRST: 3, SECOND: 1, LATER: 1, OTHER: 0}

    def test_sections_cell_types_and_crowds_are_recorded(self, raw):
        done = self.prepare(raw)
        assert done.notes == {"crowd_annotations_left_out": 1}
        content = json.loads((done.output / "datalist.json").read_text())
        assert [item["tags"] for item in content["training"]] == [{"cell_type": "A172"}, {"cell_type": "SHSY5Y"}]
        assert len(content["validation"]) == len(content["test"]) == 1
        assert content["test"][0]["group"] == "SkBr3_Phase_C1"
        assert "such as A172_Phase_A7, are in several" in done.sections  # of training and validation

    def test_overlapping_cells_are_resolved_and_counted(self, raw):
        inner = [[3, 2, 4, 2, 4, 3, 3, 3]]
        write_coco(raw / "annotations" / "livecell_coco_test.json", TEST, [annotation(1, inner), annotation(1, SQUARE)])
        done = self.prepare(raw)
        assert done.notes["overlapping_pixels"] == 1
        labels = read_labels(done.output / "labels" / f"{OTHER}.tif")
        assert ((labels == 1).sum(), (labels == 2).sum()) == (1, 8)

    def test_an_image_annotated_twice_has_the_fuller_annotation(self, raw):
        twice = {1: TEST[1], 2: TEST[1]}
        annotations = [annotation(1, SQUARE), annotation(2, SQUARE), annotation(2, COMPRESSED)]
        write_coco(raw / "annotations" / "livecell_coco_test.json", twice, annotations)
        done = self.prepare(raw)
        assert done.notes["second_annotations_left_out"] == 1
        assert read_labels(done.output / "labels" / f"{OTHER}.tif").max() == 2

    def test_an_image_in_train_and_val_is_held_out(self, raw):
        write_coco(raw / "annotations" / "livecell_coco_val.json", {**VAL, 2: TRAIN[9]}, [annotation(1, SQUARE)])
        validation = load_datalist(self.prepare(raw).output)["validation"]
        assert [Path(item["image"]).stem for item in validation] == [LATER, SECOND]

    def test_subsets_become_lists(self, raw):
        write_coco(raw / "annotations" / "0_train2percent.json", {9: TRAIN[9]}, [annotation(9, SQUARE)])
        done = self.prepare(raw)
        assert done.images == 4
        lists = json.loads((done.output / "prepared.json").read_text())["lists"]
        assert lists["0_train2percent"] == [SECOND]

    def test_images_without_annotations_and_annotations_without_images_are_reported(self, raw):
        save(raw / "images" / "extra.tif", noise(SIZE))
        write_coco(raw / "annotations" / "livecell_coco_test.json", {**TEST, 2: "gone.tif"}, [annotation(33, SQUARE)])
        assert [(fault.place, fault.kind) for fault in self.prepare(raw).faults] == [
            ("annotations/livecell_coco_test.json", "missing-file"),
            ("annotations/livecell_coco_test.json", "missing-file"),
            ("images/extra.tif", "missing-partner"),
        ]

    @pytest.mark.parametrize(
        "segmentation",
        [
            pytest.param({"size": [4, 4], "counts": [16]}, id="run lengths of another size"),
            pytest.param({"size": [], "counts": [16]}, id="run lengths without a size"),
            pytest.param({"size": list(SIZE), "counts": [191.5, 0.5]}, id="run lengths that are not whole numbers"),
            pytest.param({"size": list(SIZE), "counts": [10**30]}, id="run lengths larger than any image"),
            pytest.param([[1, 2, 3, 4, 5, 10**400]], id="a polygon with an infinite coordinate"),
            pytest.param({"size": list(SIZE), "counts": "V3"}, id="run lengths that end too early"),
            pytest.param({"size": list(SIZE), "counts": "V"}, id="run lengths that are incomplete"),
            pytest.param({"size": list(SIZE), "counts": "é"}, id="run lengths of other letters"),
            pytest.param([[1, 2, 3, "x", 5, 6]], id="a polygon with a letter"),
            pytest.param([[1, 2, 3, 4, 5, 6, 7]], id="a polygon with half a point"),
            pytest.param([[1, 2, 3, 4, 5, float("nan")]], id="a polygon with NaN"),
            pytest.param("2 1 5 1", id="a text"),
            pytest.param(None, id="none"),
        ],
    )
    def test_an_invalid_annotation_affects_only_its_image(self, raw, segmentation):
        write_coco(raw / "annotations" / "livecell_coco_test.json", TEST, [annotation(1, segmentation)])
        done = self.prepare(raw)
        place = "annotations/livecell_coco_test.json"
        assert [(fault.place, fault.kind) for fault in done.faults] == [(place, "unreadable")]
        assert "annotation 1 for SkBr3_Phase_C1" in done.faults[0].message
        assert done.images == 3

    def test_an_image_whose_size_differs_from_the_list_is_refused(self, raw):
        save(raw / "images" / "livecell_test_images" / "SkBr3" / TEST[1], noise((24, 32), "uint8"))
        done = self.prepare(raw)
        assert [(fault.place, fault.kind) for fault in done.faults] == [
            ("annotations/livecell_coco_test.json", "unreadable")
        ]
        assert f"the size stated for {TEST[1]} is 12 × 16 (height × width), but the image is 24 × 32" in str(
            done.faults[0]
        )
        assert done.images == 3

    def test_two_images_of_one_id_are_refused(self, raw):
        path = raw / "annotations" / "livecell_coco_train.json"
        path.write_text(path.read_text().replace('{"id": 9, "file', '{"id": 7, "file'))
        with pytest.raises(DatasetError, match=r"SHSY5Y.* both have the id 7"):
            self.prepare(raw)

    @pytest.mark.parametrize(
        "spoil",
        [
            pytest.param(lambda text: text[:400], id="incomplete"),
            pytest.param(lambda text: text.replace('"image_id"', '"image"'), id="a key is misspelt"),
            pytest.param(lambda text: text.replace('"file_name"', '"name"'), id="images have no names"),
            pytest.param(lambda text: text.replace(":", "="), id="not JSON"),
        ],
    )
    def test_a_file_that_is_not_coco_is_refused(self, raw, spoil):
        path = raw / "annotations" / "livecell_coco_train.json"
        text = spoil(path.read_text())
        path.write_text(text if ":" in text else '{"images": ' + text[10:])
        with pytest.raises(DatasetError, match=r"livecell_coco_train.json: not a valid COCO file .*fetch or export"):
            self.prepare(raw)


def test_folders_in_names_distinguish_equal_files(tmp_path):
    raw = tmp_path / "raw"
    for number, folder in enumerate(("p1", "p2")):
        save(raw / folder / "a.png", noise(SIZE, "uint8", seed=number))
    write_coco(raw / "all.json", {1: "p1/a.png", 2: "p2\\a.png"}, [annotation(1, SQUARE)])
    done = prepare(raw, tmp_path / "out", workers=1)
    assert done.faults == []
    assert sorted(path.name for path in (done.output / "images").iterdir()) == ["p1_a_png.png", "p2_a_png.png"]


def test_a_mark_of_utf_8_is_accepted_and_other_json_is_reported(tmp_path):
    raw = tmp_path / "raw"
    save(raw / "a.png", noise(SIZE, "uint8"))
    write_coco(raw / "all.json", {1: "a.png"}, [annotation(1, SQUARE), annotation(1, COMPRESSED)])
    (raw / "all.json").write_text("\ufeff" + (raw / "all.json").read_text(), encoding="utf-8")
    (raw / "other.json").write_text('{"version": 1}')
    done = prepare(raw, tmp_path / "out", workers=1)
    assert (done.images, done.objects) == (1, 2)
    assert [(fault.place, fault.kind, fault.severity) for fault in done.faults] == [
        ("other.json", "no-coco", "warning")
    ]


def test_places_are_right_with_a_small_window_and_letters_of_several_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(coco_file, "_CHUNK", 7)
    path = tmp_path / "all.json"
    content = {
        "info": {"by": "Štys", "numbers": [1, 2.5, -3e4], "nested": {"images": [1]}},
        "annotations": [annotation("i", SQUARE), annotation("i", COMPRESSED)],
        "images": [{"id": "i", "file_name": "Zámek.tif"}, {"id": "j", "file_name": "b.tif"}],
        "version": 12345678901234567890,
    }
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")
    first, second = coco_file.index_coco(path).images
    assert first.file_name == "Zámek.tif"
    assert coco_file.read_annotations(path, first.places) == content["annotations"]
    assert coco_file.read_annotations(path, second.places) == []


class TestMasks:
    def drawn(self, segmentation, shape=SIZE):
        row, column, pixels = annotation_mask(segmentation, shape)
        mask = np.zeros(shape, bool)
        mask[row : row + pixels.shape[0], column : column + pixels.shape[1]] = pixels
        return mask

    def test_compressed_and_plain_run_lengths_and_polygons_agree(self):
        assert decode_counts(COMPRESSED["counts"]) == COUNTS
        by_hand = np.zeros(SIZE, bool)
        by_hand[6:9, 8:10] = True
        for segmentation in (COMPRESSED, {"size": list(SIZE), "counts": COUNTS}, [[8, 6, 10, 6, 10, 9, 8, 9]]):
            np.testing.assert_array_equal(self.drawn(segmentation), by_hand)

    def test_parts_of_a_polygon_are_one_object_and_lines_have_no_area(self):
        mask = self.drawn([*SQUARE, [8, 6, 10, 6, 10, 9, 8, 9], [0, 0, 1, 1]])
        assert mask.sum() == 9 + 6

    def test_parts_outside_the_image_are_cut_off(self):
        mask = self.drawn([[-5, -5, 2, -5, 2, 2, -5, 2]])
        assert mask.sum() == 4
        assert mask[:2, :2].all()
        assert self.drawn([[20, 20, 30, 20, 30, 30, 20, 30]]).sum() == 0

    def test_a_pixel_on_a_shared_edge_belongs_to_only_one_polygon(self):
        left, right = [[0, 0, 4.5, 0, 4.5, 6, 0, 6]], [[4.5, 0, 9, 0, 9, 6, 4.5, 6]]
        assert not (self.drawn(left) & self.drawn(right)).any()
        assert (self.drawn(left) | self.drawn(right)).sum() == 9 * 6

    def test_masks_are_those_of_pycocotools_except_for_the_outline(self):
        polygon = [[20.3, 6.2, 27.9, 9.1, 30.4, 16.8, 26.2, 23.9, 18.1, 25.6, 11.7, 20.2, 12.5, 11.4]]
        # The result of pycocotools 2.0.11.
        theirs = {"size": [32, 40], "counts": "\\<9f02N1O2O1N2N2OO011O00001N101N1O3L5Kd9"}
        ours, theirs = self.drawn(polygon, (32, 40)), self.drawn(theirs, (32, 40))
        assert theirs.sum() == 260
        assert ours.sum() == 261  # the area within the points is 260.7
        assert (ours ^ theirs).sum() < 0.04 * 260

    def test_a_diagonal_takes_the_pixels_whose_centre_is_inside(self):
        # Below x + y = 3.9, with centres at 0.5, 1.5, 2.5: rows of 3, 2 and 1.
        np.testing.assert_array_equal(
            polygons_mask([[0, 0, 3.9, 0, 0, 3.9]], (5, 5)).pixels, [[1, 1, 1], [1, 1, 0], [1, 0, 0]]
        )
