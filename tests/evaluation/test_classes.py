"""Files about classes, and scores by the tags of images, written and read back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cellseg_monai.errors import DatasetError
from cellseg_monai.evaluation import (
    ClassEvaluation,
    EvaluatedImage,
    Evaluation,
    FilePair,
    find_protocol,
    format_classes,
    read_classes,
    read_results,
    summary,
    write_classes,
    write_results,
)
from cellseg_monai.evaluation.class_figure import confusion_figure, picture_of_figure
from cellseg_monai.scores import ClassCounts

NAMES = ("round", "long")
TAGS = [{"cell_type": "A172", "dose_um": 1.0}, {"cell_type": "BV2", "dose_um": 2.0}, {"cell_type": "BV2"}]


def evaluation_of(subject: str, *confusions: list) -> ClassEvaluation:
    return ClassEvaluation(subject, NAMES, [ClassCounts(np.array(numbers)) for numbers in confusions], TAGS)


CELLS = evaluation_of("cells", [[8, 2], [0, 0]], [[0, 0], [1, 9]], [[0, 0], [0, 10]])
NOTHING = evaluation_of("images", *[[[0, 0], [0, 0]]] * 3)


def test_the_summary_has_scores_of_all_images_and_by_tag(tmp_path: Path) -> None:
    files = write_classes([CELLS, NOTHING], tmp_path)
    assert [path.name for path in files] == ["classes_summary.json", "cells_confusion.png"]
    cells = read_classes(tmp_path)["cells"]
    assert (cells["classes"], cells["counted"], cells["confusion"]) == (["round", "long"], 30, [[8, 2], [1, 19]])
    assert cells["scores"]["balanced_accuracy"]["value"] == pytest.approx((0.8 + 0.95) / 2)
    assert cells["recall"] == {"round": 0.8, "long": 0.95}
    assert cells["precision"]["round"] == pytest.approx(8 / 9)
    by_type = cells["by"]["cell_type"]
    assert {name: (part["images"], part["counted"]) for name, part in by_type.items()} == {
        "A172": (1, 10),
        "BV2": (2, 20),
    }
    assert by_type["BV2"]["scores"]["balanced_accuracy"]["value"] == pytest.approx(0.95)
    assert list(cells["by"]) == ["cell_type"]  # numbers are no groups
    assert "images" not in read_classes(tmp_path)
    assert format_classes(read_classes(tmp_path)).startswith("classes of 30 cells: balanced accuracy 0.8750 (95 %")


def test_an_evaluation_without_classes_removes_what_an_earlier_one_left(tmp_path: Path) -> None:
    write_classes([CELLS], tmp_path)
    assert write_classes([evaluation_of("cells", [[0, 0], [0, 0]])], tmp_path) == []
    assert list(tmp_path.iterdir()) == []
    assert read_classes(tmp_path) == {}


def test_a_broken_summary_is_reported(tmp_path: Path) -> None:
    (tmp_path / "classes_summary.json").write_text("[")
    with pytest.raises(DatasetError, match=r"cannot read .*classes_summary\.json"):
        read_classes(tmp_path)


@pytest.mark.parametrize("count", [2, 25], ids=["with numbers", "too many classes for numbers"])
def test_the_figure_becomes_a_picture(count: int) -> None:
    figure = confusion_figure(ClassCounts(np.eye(count, dtype=int)), [f"class {n}" for n in range(count)], "cells")
    picture = picture_of_figure(figure)
    assert (picture.dtype, picture.shape[2]) == (np.uint8, 3)
    assert len(np.unique(picture)) > 10


def test_scores_of_objects_and_pixels_are_also_given_by_tag(tmp_path: Path) -> None:
    protocol = find_protocol("cellseg")
    truth = np.array([[1, 1, 0, 2, 2]])
    found = [np.array([[1, 1, 0, 2, 2]]), np.array([[1, 1, 0, 0, 0]]), np.array([[0, 0, 0, 2, 2]])]
    images = [
        EvaluatedImage(
            FilePair(str(number), Path(f"t{number}.tif"), Path(f"p{number}.tif")),
            protocol.count(prediction, truth),
            {"cell_type": TAGS[number]["cell_type"]},
        )
        for number, prediction in enumerate(found)
    ]
    evaluation = Evaluation(protocol, images)
    by_type = summary(evaluation)["by"]["cell_type"]
    assert {name: part["images"] for name, part in by_type.items()} == {"A172": 1, "BV2": 2}
    assert by_type["A172"]["scores"]["f1_pooled"]["value"] == 1
    assert by_type["BV2"]["scores"]["recall_pooled"]["value"] == 0.5
    write_results(evaluation, tmp_path)
    again = read_results(tmp_path, protocol)
    assert [image.tags for image in again.images] == [image.tags for image in images]
    written = json.loads((tmp_path / "cellseg_summary.json").read_text())
    assert summary(again)["by"] == written["by"]


def test_without_tags_that_divide_the_images_there_are_no_groups() -> None:
    protocol = find_protocol("cellseg")
    counts = protocol.count(np.array([[1]]), np.array([[1]]))
    pair = FilePair("a", Path("t.tif"), Path("p.tif"))
    assert "by" not in summary(Evaluation(protocol, [EvaluatedImage(pair, counts, {"cell_type": "A172"})] * 2))
