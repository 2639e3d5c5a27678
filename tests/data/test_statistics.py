from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cellseg_monai import io
from cellseg_monai.data.statistics import dataset_statistics, object_statistics
from cellseg_monai.errors import DatasetError


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Three images with 0, 1 and 2 objects, one in colour, and one image without a label."""
    (tmp_path / "images").mkdir()
    for count, name in enumerate(("a", "b", "c")):
        pixels = np.full((10, 12), 10 * (count + 1), np.uint16)
        labels = np.zeros((10, 12), np.int32)
        for index in range(count):
            labels[2:6, 2 + 4 * index : 6 + 4 * index] = index + 1
        np.save(tmp_path / "images" / f"{name}.npy", pixels)
        io.write_labels(tmp_path / "labels" / f"{name}.tif", labels)
    Image.fromarray(np.full((8, 8, 3), 7, np.uint8)).save(tmp_path / "images" / "d.png")
    return tmp_path


def test_objects_are_measured_and_contacts_counted():
    objects = object_statistics(
        np.array(
            [
                [5, 5, 900, 900, 0, 0],
                [5, 5, 900, 900, 0, 3],
                [0, 0, 0, 0, 0, 3],
            ]
        )
    )
    # Ids in order: 3 with 2 pixels, 5 and 900 with 4 each, which touch.
    assert objects.diameters_px == pytest.approx(np.sqrt(4 / np.pi * np.array([2, 4, 4])))
    assert (objects.count, objects.touching, objects.tiny) == (3, 2, 3)
    assert objects.covered == pytest.approx(10 / 18)


def test_objects_that_meet_at_a_corner_do_not_touch():
    assert object_statistics(np.array([[1, 0], [0, 2]])).touching == 0


def test_an_image_without_objects_has_no_diameters():
    objects = object_statistics(np.zeros((3, 3), np.uint16))
    assert (objects.count, objects.touching, objects.covered) == (0, 0, 0.0)


def test_a_data_set_is_summarised(dataset: Path) -> None:
    statistics = dataset_statistics(dataset)
    assert [image.stem for image in statistics.images] == ["a", "b", "c", "d"]
    rows = dict(statistics.rows())
    assert rows["images"] == "4, 3 with labels"
    assert rows["height and width"] == "10×12 (3), 8×8 (1)"
    assert rows["channels and dtype"] == "1 × uint16 (3), 3 × uint8 (1)"
    assert rows["intensity, percentile 50"] == "median 15, from 7 to 30"
    assert rows["objects"] == "3"
    assert rows["objects per image"] == "median 1, from 0 to 2"
    assert rows["images without objects"] == "1"
    assert rows["touching another object"] == "66.7 %"
    assert rows["smaller than 20 pixels"] == "3"
    assert statistics.faults == ()


def test_labels_without_any_object_are_counted(dataset: Path) -> None:
    for path in (dataset / "labels").iterdir():
        io.write_labels(path, np.zeros(io.read_labels(path).shape, np.int32))
    rows = dict(dataset_statistics(dataset).rows())
    assert (rows["objects"], rows["images without objects"]) == ("0", "3")
    assert "diameter of objects, px" not in rows


def test_files_that_do_not_fit_are_reported_and_the_rest_is_measured(dataset: Path) -> None:
    io.write_labels(dataset / "labels" / "a.tif", np.ones((4, 4), np.int32))
    (dataset / "images" / "b.npy").write_bytes(b"nothing")
    statistics = dataset_statistics(dataset)
    assert [image.stem for image in statistics.images] == ["c", "d"]
    assert len(statistics.faults) == 2
    assert [(fault.place, fault.kind) for fault in statistics.faults] == [
        ("images/b.npy", "unreadable"),
        ("labels/a.tif", "shape-mismatch"),
    ]
    assert "the label is 4 × 4 (height × width), but its image is 10 × 12" in statistics.faults[1].message


def test_two_processes_give_the_same_as_one(dataset: Path) -> None:
    for index in range(32):  # with fewer images there would be only one process
        np.save(dataset / "images" / f"e{index}.npy", np.full((4, 4), index, np.uint8))
    (dataset / "images" / "b.npy").write_bytes(b"nothing")
    one, two = (dataset_statistics(dataset, workers=workers) for workers in (1, 2))
    assert one.rows() == two.rows()
    assert one.faults == two.faults
    assert [image.stem for image in one.images] == [image.stem for image in two.images]


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no images in images/"):
        dataset_statistics(tmp_path)
