from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cellseg_monai.errors import DatasetError
from cellseg_monai.evaluation import pair_files
from cellseg_monai.evaluation.pairs import image_name, label_files
from cellseg_monai.exports.overlay_png import write_overlay


def paths(folder: str, *names: str) -> list[Path]:
    return [Path(folder) / name for name in names]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.tif", "a"),
        ("a.OME.TIF", "a"),
        ("a_cp_masks.png", "a"),
        ("a_seg.npy", "a"),
        ("a_masks.tif", "a"),
        ("cell_00012_label.tiff", "cell_00012"),
        ("slide 3 [x=10,y=2]-labelled.png", "slide 3 [x=10,y=2]"),
        ("a-labels.tif", "a"),
        ("a_stardist_labels.tif", "a"),
        ("A.Labels.tif", "A"),
        ("man_seg0012.tif", "0012"),
        ("man_seg_0012.tif", "0012"),
        ("mask0012.tif", "0012"),
        ("mask.tif", "mask"),
        ("labels.tif", "labels"),
        ("unmask.tif", "unmask"),
        ("maskray.tif", "maskray"),
        ("a_2.tif", "a_2"),
    ],
)
def test_names_without_what_programs_append(name, expected):
    assert image_name(Path(name)) == expected


def test_the_same_stem_in_another_format():
    pairs, faults = pair_files(paths("t", "b.tif", "a.tif"), paths("p", "a.png", "b.npy"))
    assert [(pair.name, pair.truth.name, pair.prediction.name) for pair in pairs] == [
        ("a", "a.tif", "a.png"),
        ("b", "b.tif", "b.npy"),
    ]
    assert faults == []


def test_all_files_without_a_partner_are_reported_together():
    pairs, faults = pair_files(paths("t", "a.tif", "b.tif", "c.tif"), paths("p", "a.tif", "x.tif", "y.tif"))
    assert [pair.name for pair in pairs] == ["a"]
    assert [(fault.place, fault.kind) for fault in faults] == [
        ("p/x.tif", "no-truth"),
        ("p/y.tif", "no-truth"),
        ("t/b.tif", "no-prediction"),
        ("t/c.tif", "no-prediction"),
    ]
    assert all(fault.severity == "error" for fault in faults)
    assert "no prediction for 'b'; add the missing file" in faults[2].message


@pytest.mark.parametrize(
    "predictions",
    [("a.tif", "a_cp_masks.png"), ("a_cp_masks.png", "a_seg.npy"), ("a.tif", "a.png")],
    ids=["the image next to its masks", "two exports", "two formats"],
)
def test_several_candidates_are_refused(predictions):
    pairs, faults = pair_files(paths("t", "a.tif", "b.tif"), paths("p", *predictions, "b.tif"))
    assert [pair.name for pair in pairs] == ["b"]
    assert [(fault.place, fault.kind) for fault in faults] == [("t/a.tif", "ambiguous")]
    assert all(f"p/{name}" in faults[0].message for name in predictions)
    assert "--pred_suffix" in faults[0].message


def test_names_that_only_look_like_a_suffix_are_told_apart_by_their_stems():
    pairs, faults = pair_files(paths("t", "a.tif", "a_mask.tif"), paths("p", "a_mask.png", "a.png"))
    assert [(pair.name, pair.prediction.name) for pair in pairs] == [("a", "a.png"), ("a_mask", "a_mask.png")]
    assert faults == []


def test_two_truths_of_one_stem_are_refused():
    pairs, faults = pair_files(paths("t", "a.tif", "a.png"), paths("p", "a.tif", "a.png"))
    assert pairs == []
    assert [fault.kind for fault in faults] == ["ambiguous"]


def test_a_suffix_selects_files(tmp_path):
    for name in ("a.tif", "a_cp_masks.png", "a_seg.npy", "a_cp_masks.txt", ".a_cp_masks.png"):
        (tmp_path / name).touch()
    assert [path.name for path in label_files(tmp_path, "_cp_masks")] == ["a_cp_masks.png"]
    assert len(label_files(tmp_path)) == 3
    with pytest.raises(DatasetError, match=r"3 file\(s\), but no name ends with '_masks_cp'"):
        label_files(tmp_path, "_masks_cp")


def test_folders_without_label_images_are_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DatasetError, match="it contains no label images; pass a folder"):
        label_files(tmp_path)
    with pytest.raises(DatasetError, match="no such folder"):
        label_files(tmp_path / "nowhere")


def test_overlay_pictures_are_not_label_images(tmp_path):
    for name in ("a.tif", "b.tif", "c_overlay.png", "d.png"):
        (tmp_path / name).touch()
    write_overlay(tmp_path / "a_overlay.png", np.zeros((1, 4, 4), np.float32), np.eye(4, dtype=int))
    write_overlay(tmp_path / "c_overlay.png", np.zeros((1, 4, 4), np.float32), np.eye(4, dtype=int))
    Image.fromarray(np.eye(4, dtype=np.uint8)).save(tmp_path / "b_overlay.png")  # labels of an image of this name
    (tmp_path / "d_overlay.png").touch()
    names = [path.name for path in label_files(tmp_path)]
    assert names == ["a.tif", "b.tif", "b_overlay.png", "c_overlay.png", "d.png", "d_overlay.png"]
