import os
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import tifffile

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import read_labels
from tests.io.files import write_metaimage

LABELS = np.array([[0, 1, 1], [2, 0, 3]])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "labels.tif"


class TestReading:
    def test_a_mask_is_returned_as_stored(self, path):
        tifffile.imwrite(path, (LABELS > 0).astype(np.uint8) * 255)
        np.testing.assert_array_equal(read_labels(path), (LABELS > 0) * 255)

    def test_a_mask_of_one_bit_becomes_0_and_1(self, path):
        tifffile.imwrite(path, LABELS > 0, metadata=None)
        labels = read_labels(path)
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(labels, LABELS > 0)

    def test_ids_beyond_int32_are_returned_as_int64(self, path):
        tifffile.imwrite(path, np.array([[2**40, 1]], np.uint64))
        assert read_labels(path).tolist() == [[2**40, 1]]

    @pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
    def test_whole_numbers_of_floating_point_become_integers(self, path, dtype):
        tifffile.imwrite(path, LABELS.astype(dtype))
        labels = read_labels(path)
        np.testing.assert_array_equal(labels, LABELS)
        assert labels.dtype == np.int32
        tifffile.imwrite(path, np.array([[2**40, 0]], np.float64))
        assert read_labels(path).tolist() == [[2**40, 0]]

    def test_axes_of_length_1_are_dropped(self, path):
        how = {"ome": True, "photometric": "minisblack", "metadata": {"axes": "TZYX"}}
        tifffile.imwrite(path, LABELS[None, None].astype(np.uint8), **how)
        np.testing.assert_array_equal(read_labels(path), LABELS)
        array, volume = path.with_suffix(".npy"), path.with_suffix(".mha")
        np.save(array, LABELS[None, None])
        np.testing.assert_array_equal(read_labels(array), LABELS)
        write_metaimage(volume, LABELS[None].astype(np.uint16))
        np.testing.assert_array_equal(read_labels(volume), LABELS)

    def test_a_stack_without_stated_axes_is_refused_without_suggesting_axes(self, path):
        array = path.with_suffix(".npy")
        np.save(array, np.stack([LABELS, LABELS]))
        with pytest.raises(UnreadableImageError, match="must be a single plane; save each plane") as caught:
            read_labels(array)
        assert "axes=" not in str(caught.value)

    @pytest.mark.parametrize(
        ("stored", "how", "says"),
        [
            (
                LABELS + 0.5,
                {},
                "0.5 of type float64 in row 0, column 0, which is a fraction, expected integers",
            ),
            (np.array([[1, np.nan]]), {}, "label nan .* in row 0, column 1, which is no number"),
            (np.array([[1], [np.inf]]), {}, "label inf .* in row 1, column 0"),
            (np.array([[2**24 + 2]], np.float32), {}, "expected at most 16777216"),
            (np.array([[4096]], np.float16), {}, "expected at most 2048"),
            (np.array([[1e300]]), {}, "expected at most 9007199254740992"),
            (np.zeros((4, 5, 3), np.uint8), {"photometric": "rgb"}, "3 channels"),
            (np.zeros((2, 4, 5), np.uint8), {"photometric": "minisblack", "metadata": {"axes": "ZYX"}}, "a stack"),
            (np.array([[2**63]], np.uint64), {}, "64-bit"),
        ],
        ids=[
            "fractions",
            "NaN",
            "infinity",
            "too large for float32",
            "too large for float16",
            "too large for float64",
            "colours",
            "stack",
            "beyond 64 bits",
        ],
    )
    def test_anything_but_a_label_image_is_refused(self, path, stored, how, says):
        tifffile.imwrite(path, stored, **how)
        with pytest.raises(UnreadableImageError, match=says):
            read_labels(path)


class TestCellposeSegFiles:
    """Such files are pickles of a dictionary; arrays are read, and no code is run."""

    SAVED: ClassVar = {"masks": LABELS.astype(np.uint16), "filename": Path("a.tif"), "flows": [np.zeros(3), None]}

    def test_masks_are_read(self, tmp_path):
        np.save(tmp_path / "a_seg.npy", self.SAVED, allow_pickle=True)
        np.testing.assert_array_equal(read_labels(tmp_path / "a_seg.npy"), LABELS)

    def test_no_code_in_the_file_is_run(self, tmp_path):
        trap = tmp_path / "trap"
        np.save(tmp_path / "a_seg.npy", {**self.SAVED, "extra": Run(trap)}, allow_pickle=True)
        np.testing.assert_array_equal(read_labels(tmp_path / "a_seg.npy"), LABELS)
        assert not trap.exists()

    @pytest.mark.parametrize(
        "saved",
        [{"outlines": LABELS}, {"masks": [1, 2]}, {"masks": np.array([None])}, [LABELS]],
        ids=["no masks", "a list", "an array of objects", "not a dictionary"],
    )
    def test_a_file_without_masks_is_refused(self, tmp_path, saved):
        np.save(tmp_path / "a_seg.npy", np.array(saved, object), allow_pickle=True)
        with pytest.raises(UnreadableImageError, match=r"no masks, unlike a _seg\.npy"):
            read_labels(tmp_path / "a_seg.npy")

    def test_a_truncated_file_is_refused(self, tmp_path):
        np.save(tmp_path / "a_seg.npy", self.SAVED, allow_pickle=True)
        whole = (tmp_path / "a_seg.npy").read_bytes()
        for length in (50, 130, len(whole) // 2, len(whole) - 3):
            (tmp_path / "a_seg.npy").write_bytes(whole[:length])
            with pytest.raises(UnreadableImageError):
                read_labels(tmp_path / "a_seg.npy")


class Run:
    """Creates a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)
