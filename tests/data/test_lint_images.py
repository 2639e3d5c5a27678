"""Faults of the images of a data set, apart from those of labels and lists."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from PIL import Image as PillowImage

from cellseg_monai.data import check_dataset


def save_tiff(path: Path, pixels: np.ndarray, axes: str | None = None) -> None:
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata={"axes": axes} if axes else None)


def test_images_that_cannot_be_trained_on_are_errors(make_dataset):
    folder = make_dataset("abcd")
    rng = np.random.default_rng(0)
    save_tiff(folder / "images" / "a.tif", rng.integers(0, 99, (3, 6, 8)).astype(np.uint8), "ZYX")
    broken = rng.random((6, 8)).astype(np.float32)
    broken[2, 3], broken[4, 4] = np.nan, np.inf
    save_tiff(folder / "images" / "b.tif", broken)
    save_tiff(folder / "images" / "c.tif", rng.random((6, 8)).astype(np.float32))
    faults = check_dataset(folder)
    assert [(fault.place, fault.kind, fault.severity) for fault in faults] == [
        ("images/a.tif", "stack", "error"),
        ("images/b.tif", "not-finite", "error"),
    ]
    assert "3 Z, 1 C, 6 Y, 8 X" in faults[0].message
    assert "2 of 48 values" in faults[1].message


def test_different_numbers_of_channels_are_a_warning_at_the_rarer_images(make_dataset):
    folder = make_dataset("abcd")
    colour = np.random.default_rng(0).integers(0, 99, (6, 8, 3)).astype(np.uint8)
    PillowImage.fromarray(colour).save(folder / "images" / "b.png")
    (folder / "images" / "b.tif").unlink()
    (fault,) = check_dataset(folder)
    assert (fault.place, fault.kind, fault.severity) == ("images/b.png", "channel-count", "warning")
    assert "1 in 3 (images/a.tif, ...), 3 in 1 (images/b.png)" in fault.message


def test_axes_that_the_files_do_not_state_can_be_passed(make_dataset):
    folder = make_dataset("ab")
    for seed, stem in enumerate("ab"):
        (folder / "images" / f"{stem}.tif").unlink()
        np.save(folder / "images" / f"{stem}.npy", np.random.default_rng(seed).random((6, 8, 2)))
    assert {fault.kind for fault in check_dataset(folder)} == {"unreadable"}
    assert check_dataset(folder, axes="YXC") == []
