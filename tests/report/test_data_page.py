from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cellseg_monai import io
from cellseg_monai.data.statistics import dataset_statistics
from cellseg_monai.report import write_dataset
from cellseg_monai.report.data_figure import examples
from tests.report.pages import check_page


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Images with 0, 1 and 2 objects, one of them in colour, and an image without a label."""
    (tmp_path / "images").mkdir()
    for count, name in enumerate(("a", "b", "c")):
        labels = np.zeros((10, 12), np.int32)
        for index in range(count):
            labels[2:6, 2 + 4 * index : 6 + 4 * index] = index + 1
        np.save(tmp_path / "images" / f"{name}.npy", np.full((10, 12), 10 * (count + 1), np.uint16))
        io.write_labels(tmp_path / "labels" / f"{name}.tif", labels)
    Image.fromarray(np.full((8, 8, 3), 7, np.uint8)).save(tmp_path / "images" / "d.png")
    return tmp_path


def test_examples_span_the_range_of_objects(dataset: Path) -> None:
    statistics = dataset_statistics(dataset)
    assert [image.stem for image in examples(statistics)] == ["a", "b", "c"]
    assert [image.stem for image in examples(statistics, most=2)] == ["a", "c"]


def test_examples_without_labels_are_ordered_by_intensity(dataset: Path) -> None:
    for path in (dataset / "labels").iterdir():
        path.unlink()
    assert [image.stem for image in examples(dataset_statistics(dataset))] == ["d", "a", "b", "c"]


def test_the_figure_can_be_written_alone_as_a_picture(dataset: Path) -> None:
    write_dataset(dataset / "show.png", dataset_statistics(dataset))
    with Image.open(dataset / "show.png") as picture:
        assert picture.size[0] == 14 * 110


def test_the_page_is_self_contained_and_escapes_names(dataset: Path) -> None:
    (dataset / "images" / "<b>.npy").write_bytes(b"nothing")
    write_dataset(dataset / "show.html", dataset_statistics(dataset))
    page = check_page(dataset / "show.html")
    (source,) = page.values("src")
    assert source.startswith("data:image/png;base64,")
    assert "images/<b>.npy" in page.text
    assert "4, 3 with labels" in page.text


def test_a_data_set_without_readable_images_gives_a_page_of_faults_and_no_figure(dataset: Path) -> None:
    for path in (dataset / "images").iterdir():
        path.write_bytes(b"nothing")
    statistics = dataset_statistics(dataset)
    write_dataset(dataset / "show.html", statistics)
    assert (dataset / "show.html").read_text(encoding="utf-8").count("unreadable") == 4
    with pytest.raises(ValueError, match="no readable images"):
        write_dataset(dataset / "show.png", statistics)


def test_other_suffixes_are_refused(dataset: Path) -> None:
    with pytest.raises(ValueError, match=r"got output=.*show\.pdf; choose a name that ends in \.html or \.png"):
        write_dataset(dataset / "show.pdf", dataset_statistics(dataset))
