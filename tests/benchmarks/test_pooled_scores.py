from pathlib import Path

import numpy as np
import tifffile

from benchmarks.mixed_images import Case, by_group, group_of, link_images
from benchmarks.pooled_scores import foreground_agreement, score_files


def written(path: Path, *rows: str) -> Path:
    tifffile.imwrite(path, np.array([list(map(int, row)) for row in rows], np.uint16))
    return path


def test_an_image_without_a_prediction_counts_as_one_in_which_nothing_is_found(tmp_path: Path) -> None:
    truth, found = (written(tmp_path / f"{name}.tif", "1100", "1100", "0022") for name in ("truth", "found"))
    numbers = score_files({"a": truth, "b": truth}, {"a": found}, tmp_path / "empty")
    # Both objects of one image are found, and both of the other are missed: 2 / (2 + 2 / 2).
    assert numbers["f1_50_pooled"]["value"] == numbers["f1_pooled"]["value"] == 0.6667
    assert (numbers["images"], numbers["objects"], numbers["found"], numbers["failed"]) == (2, 4, 2, 1)


def test_agreement_counts_pixels_inside_and_objects_outside() -> None:
    expected = np.array([[1, 1, 0, 2, 2]])
    labels = np.array([[4, 0, 0, 5, 6]])
    has_data = np.array([[True, True, True, True, False]])
    numbers = foreground_agreement([(labels, expected, has_data)])
    assert numbers == {"images": 1, "iou": {"value": 0.6667, "interval_95": None}, "objects_outside": 1}


def test_clusters_of_colours_are_three_groups() -> None:
    groups = [group_of(f"dsb2018_stage1_train/{cluster}") for cluster in "abcdef"]
    tissue = "dsb2018 stained tissue"
    assert groups == ["dsb2018 fluorescence", tissue, tissue, "dsb2018 smears", tissue, "dsb2018 fluorescence"]
    assert group_of("bbbc039") == "bbbc039"


def test_one_folder_holds_images_of_all_sets_and_nothing_else(tmp_path: Path) -> None:
    cases = []
    for group in ("first", "second"):
        (tmp_path / group).mkdir()
        image = written(tmp_path / group / "a.tif", "12")
        cases.append(Case(f"{group}-a", group, "fluorescence_nuclei", image, image))
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "old.tif").touch()
    folder = link_images(cases, tmp_path / "all")
    assert sorted(path.name for path in folder.iterdir()) == ["first-a.tif", "second-a.tif"]
    assert {group: len(members) for group, members in by_group(cases).items()} == {"first": 1, "second": 1}
