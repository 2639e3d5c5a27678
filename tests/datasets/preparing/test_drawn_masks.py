"""The layouts whose masks are drawn: black and white, or one colour per object."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cellseg_monai.datasets.preparing import find_preparer, prepare
from cellseg_monai.errors import DatasetError
from cellseg_monai.io import read_labels
from tests.contracts.preparer import PreparerContract, kinds, noise, save

TWO = np.zeros((12, 16), np.uint16)
TWO[1:4, 1:4], TWO[6:9, 6:12] = 1, 2
NONE = np.zeros_like(TWO)
SIZE = TWO.shape


def white(mask):
    return np.uint8(255) * mask


class TestBinaryMasks(PreparerContract):
    layout = "binary_masks"

    def write(self, raw):
        masks = (white(TWO > 0), (TWO > 0).astype(np.uint8), np.zeros(SIZE, np.uint8), white(TWO > 0))
        for number, (part, mask) in enumerate(zip(("train", "train", "validate", "test"), masks, strict=True), start=1):
            save(raw / f"spilit_x_image_{part}" / f"hela_{number}.tif", noise((*SIZE, 3), "uint8", seed=number))
            save(raw / f"spilit_y_mask_{part}" / f"hela_{number}.tif", mask)
        return {"training_hela_1": 2, "training_hela_2": 2, "validation_hela_3": 0, "test_hela_4": 2}

    def test_touching_objects_become_one_and_the_record_says_so(self, raw):
        touching = np.zeros(SIZE, np.uint8)
        touching[1:4, 1:4], touching[4:7, 4:7] = 255, 255  # corner to corner
        save(raw / "spilit_y_mask_test" / "hela_4.tif", touching)
        output = self.prepare(raw).output
        assert read_labels(output / "labels" / "test_hela_4.tif").max() == 1
        assert (
            "Touching cells, which these masks do not separate, become one object"
            in json.loads((output / "prepared.json").read_text())["rule"]
        )

    def test_greys_along_edges_are_thresholded_and_counted(self, raw):
        grey = white(TWO > 0)
        grey[0, :3] = 20
        save(raw / "spilit_y_mask_train" / "hela_1.tif", white(TWO > 0))
        save(raw / "spilit_y_mask_test" / "hela_4.tif", grey)
        done = prepare(raw, raw.parent / "prepared", layout="binary_masks", workers=1)
        assert done.notes == {"grey_pixels_thresholded": 3}
        assert read_labels(done.output / "labels" / "test_hela_4.tif").max() == 2

    @pytest.mark.parametrize(
        "mask",
        [
            pytest.param(np.indices(SIZE).sum(axis=0) // 8, id="an empty mask with the noise of a JPEG"),
            pytest.param(TWO, id="two ids"),
            pytest.param(np.arange(SIZE[0] * SIZE[1]).reshape(SIZE), id="one id per pixel"),
        ],
    )
    def test_other_greys_are_refused(self, raw, mask):
        save(raw / "spilit_y_mask_test" / "hela_4.tif", mask.astype(np.uint8))
        done = prepare(raw, raw.parent / "prepared", layout="binary_masks", workers=1)
        assert kinds(done) == [("spilit_y_mask_test/hela_4.tif", "unreadable")]
        assert "black and white; if the grey levels are ids, pass --layout colour_labels" in done.faults[0].message

    def test_colours_are_refused(self, raw):
        save(raw / "spilit_y_mask_test" / "hela_4.tif", noise((*SIZE, 3), "uint8"))
        done = prepare(raw, raw.parent / "prepared", layout="binary_masks", workers=1)
        assert kinds(done) == [("spilit_y_mask_test/hela_4.tif", "unreadable")]
        assert "pass --layout colour_labels" in done.faults[0].message


class TestColourLabels(PreparerContract):
    layout = "colour_labels"

    def write(self, raw):
        red_green = np.zeros((*SIZE, 3), np.uint8)
        red_green[1:4, 1:4], red_green[1:4, 4:7], red_green[6:9, 6:12] = (255, 0, 0), (255, 1, 0), (0, 9, 0)
        # 16-bit ids in two 8-bit channels: 1 and 257 have the same first channel.
        wide = np.zeros((*SIZE, 3), np.uint8)
        wide[1:4, 1:4], wide[1:4, 4:7] = (1, 0, 0), (1, 1, 0)
        for number, (stem, mask) in enumerate({"a": red_green, "b": wide, "c": np.zeros_like(wide)}.items()):
            save(raw / "images" / f"{stem}.tif", noise(SIZE, seed=number))
            save(raw / "masks" / f"{stem}.png", mask)
        return {"a": 3, "b": 2, "c": 0}

    def test_smoothed_edges_are_refused(self, raw):
        rows, columns = np.indices((60, 60))
        smooth = 255 * np.clip(20.5 - np.hypot(rows - 30, columns - 30), 0, 1)
        save(raw / "images" / "a.tif", noise(smooth.shape))
        save(raw / "masks" / "a.png", np.stack([smooth, smooth / 2, smooth / 3], axis=-1).astype(np.uint8))
        done = self.prepare(raw)
        assert kinds(done) == [("masks/a.png", "unreadable")]
        assert "regions have fewer than 5 pixels, probably because edges were smoothed" in done.faults[0].message

    def test_a_mask_without_black_background_is_counted(self, raw):
        full = np.full((*SIZE, 3), 255, np.uint8)
        full[1:4, 1:4] = (255, 0, 0)
        save(raw / "masks" / "c.png", full)
        assert self.prepare(raw).notes == {"masks_without_black_background": 1}


class TestUsiigaci(PreparerContract):
    layout = "colour_labels"

    def write(self, raw):
        for number, (part, stem, labels) in enumerate(
            (("train", "1", TWO), ("train", "2", NONE), ("val", "1", TWO * 9))
        ):
            save(raw / part / f"set{stem}" / "raw.tif", noise(SIZE, seed=number))
            save(raw / part / f"set{stem}" / "instances_ids.png", labels)
        return {"train_set1": 2, "train_set2": 0, "val_set1": 2}

    def test_a_folder_without_image_is_reported(self, raw):
        (raw / "train" / "set2" / "raw.tif").unlink()
        assert kinds(self.prepare(raw)) == [("train/set2", "missing-partner")]


def test_the_layout_of_grey_masks_is_not_guessed(tmp_path):
    save(tmp_path / "images" / "a.tif", noise(SIZE))
    save(tmp_path / "masks" / "a.tif", TWO)
    with pytest.raises(DatasetError, match=r"(?s)fit no known layout.*--layout.*colour_labels: .*images_only: "):
        find_preparer(tmp_path)
