"""Each layout on a small raw folder as published, and on its known traps."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from cellseg_monai.data import load_datalist
from cellseg_monai.datasets.preparing import find_preparer
from cellseg_monai.io import read, read_labels
from tests.contracts.preparer import PreparerContract, kinds, noise, save, sections_of

TWO = np.zeros((12, 16), np.uint16)
TWO[1:4, 1:4], TWO[6:9, 6:12] = 1, 2
NONE = np.zeros_like(TWO)
SIZE = TWO.shape


def white(mask):
    return np.uint8(255) * mask


class TestCellsegTiff(PreparerContract):
    layout = "cellseg_tiff"
    warnings = ("channel-count",)

    def write(self, raw):
        save(raw / "images" / "cell_1.TIFF", noise(SIZE, seed=1))
        save(raw / "images" / "cell_2.tif", noise((*SIZE, 3), "uint8", seed=2))
        save(raw / "images" / "cell_3.png", noise(SIZE, "uint8", seed=3))
        save(raw / "images" / "cell_4.bmp", noise((*SIZE, 3), "uint8", seed=4))
        for number, labels in enumerate((TWO * 300, TWO, NONE, TWO), start=1):
            save(raw / "labels" / f"cell_{number}_label.tiff", labels)
        return {"cell_1": 2, "cell_2": 2, "cell_3": 0, "cell_4": 2}

    def test_names_and_bit_depths_are_kept(self, raw):
        output = self.prepare(raw).output
        names = sorted(path.name for path in (output / "images").iterdir())
        assert names == ["cell_1.TIFF", "cell_2.tif", "cell_3.png", "cell_4.bmp"]
        assert read(output / "images" / "cell_1.TIFF").pixels.dtype == np.uint16
        assert read(output / "images" / "cell_2.tif").pixels.shape == (3, *SIZE)
        np.testing.assert_array_equal(read_labels(output / "labels" / "cell_1.tif"), TWO)

    def test_16_bit_values_that_would_fit_into_8_bits_stay_16_bit(self, raw):
        save(raw / "images" / "cell_3.png", noise(SIZE, "uint8").astype(np.uint16))
        assert read(self.prepare(raw).output / "images" / "cell_3.png").pixels.dtype == np.uint16

    def test_files_without_partner_and_of_one_stem_are_reported_and_left_out(self, raw):
        save(raw / "images" / "alone.tif", noise(SIZE))
        save(raw / "labels" / "widow_label.tiff", TWO)
        save(raw / "images" / "cell_3.jpg", noise(SIZE, "uint8"))
        done = self.prepare(raw)
        assert kinds(done) == [
            ("images/alone.tif", "missing-partner"),
            ("images/cell_3.jpg", "repeated-stem"),
            ("images/cell_3.png", "repeated-stem"),
            ("labels/widow_label.tiff", "missing-partner"),
        ]
        assert done.images == 3

    def test_a_label_of_another_shape_is_reported(self, raw):
        save(raw / "labels" / "cell_1_label.tiff", TWO.T)
        done = self.prepare(raw)
        assert kinds(done) == [("labels/cell_1_label.tiff", "unreadable")]
        assert "the mask is 16 × 12 (height × width), but the image is 12 × 16" in done.faults[0].message

    def test_labels_as_jpeg_are_refused(self, raw):
        (raw / "labels" / "cell_3_label.tiff").unlink()
        save(raw / "labels" / "cell_3_label.jpg", white(TWO == 1))
        done = self.prepare(raw)
        assert kinds(done) == [("labels/cell_3_label.jpg", "unreadable")]
        assert "export the original labels as PNG or TIFF" in done.faults[0].message

    def test_images_of_unreadable_formats_are_reported(self, raw):
        (raw / "images" / "cell_9.CZI").write_bytes(b"ZISRAWFILE")
        done = self.prepare(raw)
        assert [(fault.place, fault.severity) for fault in done.faults] == [("images/cell_9.CZI", "warning")]

    def test_names_that_differ_only_in_case_are_refused(self, raw):
        save(raw / "images" / "CELL_3.png", noise(SIZE, "uint8"))
        save(raw / "labels" / "CELL_3_label.tiff", TWO)
        assert kinds(self.prepare(raw)) == [
            ("images/CELL_3.png", "repeated-stem"),
            ("images/cell_3.png", "repeated-stem"),
        ]

    def test_ids_above_16_bits_remain_distinct(self, raw):
        save(raw / "labels" / "cell_1_label.tiff", TWO.astype(np.uint32) * 70_000)
        many = np.arange(1, 300 * 240 + 1, dtype=np.uint32).reshape(300, 240)
        save(raw / "images" / "cell_2.tif", noise(many.shape))
        save(raw / "labels" / "cell_2_label.tiff", many)
        output = self.prepare(raw).output
        np.testing.assert_array_equal(read_labels(output / "labels" / "cell_1.tif"), TWO)
        np.testing.assert_array_equal(read_labels(output / "labels" / "cell_2.tif"), many)

    def test_negative_ids_are_reported(self, raw):
        save(raw / "labels" / "cell_1_label.tiff", TWO.astype(np.int16) - 1)
        assert kinds(self.prepare(raw)) == [("images/cell_1.TIFF", "labels")]

    def test_a_stack_is_reported(self, raw):
        tifffile.imwrite(
            raw / "images" / "cell_1.TIFF", noise((5, *SIZE)), photometric="minisblack", metadata={"axes": "ZYX"}
        )
        assert kinds(self.prepare(raw)) == [("images/cell_1.TIFF", "stack")]

    def test_parts_are_sections_and_distinguish_equal_names(self, tmp_path):
        raw = tmp_path / "neurips"
        self.write(raw / "Training-labeled")
        save(raw / "Tuning" / "images" / "cell_1.png", noise(SIZE, "uint8"))
        save(raw / "Tuning" / "labels" / "cell_1_label.tiff", TWO)
        save(raw / "train-unlabeled" / "wild.tif", noise(SIZE))
        done = self.prepare(raw)
        assert done.faults == []
        sections = sections_of(done)
        assert sections["test"] == ["Tuning_cell_1.png"]
        assert (len(sections["training"]), len(sections["validation"])) == (3, 1)
        assert [path.name for path in (done.output / "unlabelled").iterdir()] == ["train-unlabeled_wild.tif"]

    def test_an_image_in_two_files_is_written_as_one(self, raw):
        (raw / "images" / "cell_1.TIFF").unlink()
        pixels = noise(SIZE)
        header = "ObjectType = Image\nNDims = 2\nDimSize = 16 12\nElementSpacing = 0.5 0.5\nElementType = MET_USHORT\n"
        (raw / "images" / "cell_1.mhd").write_text(header + "ElementDataFile = cell_1.raw\n")
        (raw / "images" / "cell_1.raw").write_bytes(pixels.tobytes())
        output = self.prepare(raw).output
        np.testing.assert_array_equal(read(output / "images" / "cell_1.tif").pixels[0], pixels)


class TestMaskPerObject(PreparerContract):
    layout = "mask_per_object"

    def write(self, raw):
        for number, stem in enumerate(("0a", "0b", "0c")):
            save(raw / stem / "images" / f"{stem}.png", noise((*SIZE, 4), "uint8", seed=number))
            (raw / stem / "masks").mkdir()
        save(raw / "0a" / "masks" / "x.png", white(TWO == 1))
        save(raw / "0a" / "masks" / "y.png", white(TWO == 2))
        save(raw / "0c" / "masks" / "z.png", (TWO == 1).astype(np.uint8))
        return {"0a": 2, "0b": 0, "0c": 1}

    def test_overlaps_empty_and_covered_masks_are_counted(self, raw):
        save(raw / "0a" / "masks" / "small.png", white(np.indices(SIZE).sum(axis=0) == 2))
        save(raw / "0a" / "masks" / "nothing.png", np.zeros(SIZE, np.uint8))
        save(raw / "0c" / "masks" / "zz_same.png", white(TWO == 1))
        done = self.prepare(raw)
        # The diagonal 0,2 1,1 2,0 shares the pixel 1,1 with the first object; the second mask of 0c covers the first.
        assert done.notes == {"empty_masks": 1, "objects_lost": 1, "overlapping_pixels": 1 + 9}
        labels = read_labels(done.output / "labels" / "0a.tif")
        assert labels[1, 1] == labels[0, 2] == labels[2, 0] != labels[2, 2]

    def test_images_without_masks_are_faults_in_a_labelled_part_and_unlabelled_in_others(self, tmp_path):
        raw = tmp_path / "bowl"
        self.write(raw / "stage1_train")
        save(raw / "stage1_train" / "0d" / "images" / "0d.png", noise(SIZE, "uint8"))
        save(raw / "stage1_test" / "0e" / "images" / "0e.png", noise(SIZE, "uint8"))
        done = self.prepare(raw)
        assert kinds(done) == [("stage1_train/0d/images/0d.png", "missing-partner")]
        assert (done.output / "unlabelled" / "0e.png").is_file()


class TestRgbaLabels(PreparerContract):
    layout = "rgba_labels"

    def write(self, raw):
        masks = np.zeros((*SIZE, 4), np.uint8)
        masks[..., 3] = 255
        # Two touch, and the third has the value of the first.
        masks[1:4, 1:4, 0], masks[1:4, 4:7, 0], masks[6:9, 6:12, 0] = 1, 2, 1
        stems = [f"IXMtest_A0{well}_s1_w1" for well in "1234"]
        for number, stem in enumerate(stems):
            save(raw / "images" / f"{stem}.tif", noise(SIZE, seed=number))
            save(raw / "masks" / f"{stem}.png", masks)
        names = [f"{stem}.png\n" for stem in stems]
        for section, listed in {"training": names[:2], "validation": names[2:3], "test": names[3:]}.items():
            (raw / "metadata").mkdir(exist_ok=True)
            (raw / "metadata" / f"{section}.txt").write_text("".join(listed))
        return dict.fromkeys(stems, 3)

    def test_the_published_split_is_kept(self, raw):
        sections = sections_of(self.prepare(raw))
        assert [len(sections[name]) for name in ("training", "validation", "test")] == [2, 1, 1]
        assert sections["test"] == ["IXMtest_A04_s1_w1.tif"]

    def test_a_well_in_two_published_sections_is_reported_and_not_kept_as_a_group(self, raw):
        for folder, suffix in (("images", "tif"), ("masks", "png")):
            path = raw / folder / f"IXMtest_A04_s1_w1.{suffix}"
            path.rename(path.with_name(f"IXMtest_A01_s2_w1.{suffix}"))
        (raw / "metadata" / "test.txt").write_text("IXMtest_A01_s2_w1.png\n")
        done = self.prepare(raw)
        assert "1 groups (wells, sequences), such as IXMtest_A01, are in several" in done.sections
        assert sections_of(done)["test"] == ["IXMtest_A01_s2_w1.tif"]

    def test_a_missing_listed_image_is_reported(self, raw):
        (raw / "metadata" / "test.txt").write_text("gone.png\n")
        assert kinds(self.prepare(raw)) == [("metadata/test.txt", "missing-file")]

    def test_an_image_in_two_lists_is_held_out_and_one_in_none_is_reported(self, raw):
        (raw / "metadata" / "training.txt").write_text("IXMtest_A01_s1_w1.png\nIXMtest_A04_s1_w1.png\n")
        done = self.prepare(raw)
        assert kinds(done) == [("metadata/training.txt", "duplicate")]
        assert sections_of(done)["test"] == ["IXMtest_A04_s1_w1.tif"]
        assert "; 1 image(s) without a published section go to training" in done.sections


class TestCtc(PreparerContract):
    layout = "ctc"
    warnings = ("id-gap",)

    def write(self, raw):
        for sequence, segmented in (("01", (0, 2)), ("02", (0,))):
            for time in range(3):
                save(raw / sequence / f"t{time:03d}.tif", noise(SIZE, seed=10 * int(sequence) + time))
                save(raw / f"{sequence}_GT" / "TRA" / f"man_track{time:03d}.tif", TWO * 5)
                if time in segmented:
                    save(raw / f"{sequence}_GT" / "SEG" / f"man_seg{time:03d}.tif", TWO * 5)
            (raw / f"{sequence}_GT" / "TRA" / "man_track.txt").write_text("5 0 2 0\n10 0 2 5\n")
        return {"01_t000": 2, "01_t002": 2, "02_t000": 2}

    def test_ids_lineage_and_unsegmented_frames_are_kept(self, raw):
        output = self.prepare(raw).output
        assert np.unique(read_labels(output / "labels" / "01_t000.tif")).tolist() == [0, 5, 10]
        assert (output / "tracking" / "01" / "man_track.txt").read_text() == "5 0 2 0\n10 0 2 5\n"
        assert (output / "tracking" / "02" / "man_track002.tif").is_file()
        unlabelled = sorted(path.name for path in (output / "unlabelled").iterdir())
        assert unlabelled == ["01_t001.tif", "02_t001.tif", "02_t002.tif"]

    def test_a_sequence_stays_together(self, raw):
        sections = load_datalist(self.prepare(raw).output)
        groups = [sorted({item["group"] for item in items}) for items in sections.values()]
        assert sorted(groups) == [[], ["01"], ["02"]]

    def test_masks_of_stacks_and_of_missing_frames_are_reported(self, raw):
        save(raw / "01_GT" / "SEG" / "man_seg_001_004.tif", TWO)
        save(raw / "01_GT" / "SEG" / "man_seg017.tif", TWO)
        assert kinds(self.prepare(raw)) == [
            ("01_GT/SEG/man_seg017.tif", "missing-partner"),
            ("01_GT/SEG/man_seg_001_004.tif", "stack"),
        ]


class TestImagesOnly(PreparerContract):
    layout = "images_only"
    warnings = ("missing-partner",)
    guessed = False

    def write(self, raw):
        save(raw / "a.tif", noise(SIZE, seed=1))
        save(raw / "sub" / "b.png", noise(SIZE, seed=2))
        return {"a": None, "sub_b": None}

    def test_files_with_the_same_stem_are_reported(self, raw):
        save(raw / "a.png", noise(SIZE, "uint8"))
        assert kinds(self.prepare(raw)) == [("a.png", "repeated-stem"), ("a.tif", "repeated-stem")]


def test_a_misspelt_layout_is_refused_with_the_right_one(tmp_path):
    with pytest.raises(ValueError, match="did you mean 'ctc'"):
        find_preparer(tmp_path, "ctk")
