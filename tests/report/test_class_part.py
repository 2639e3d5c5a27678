"""Sections on classes and tags, from summaries as an evaluation writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cellseg_monai.evaluation import ClassEvaluation, read_classes, write_classes
from cellseg_monai.report.class_part import class_part, tag_part
from cellseg_monai.scores import ClassCounts

TAGS = [{"cell_type": "A172"}, {"cell_type": "<BV2>"}]


def classes_in(folder: Path) -> dict:
    counts = [ClassCounts(np.array(numbers)) for numbers in ([[8, 2], [0, 0]], [[0, 0], [0, 0]])]
    write_classes([ClassEvaluation("cells", ("round", "long & thin"), counts, TAGS)], folder)
    return read_classes(folder)


def test_classes_have_scores_and_a_figure(tmp_path: Path) -> None:
    section = class_part(classes_in(tmp_path))
    assert "Classes of 10 cells: balanced accuracy 0.800" in section
    assert "long &amp; thin" in section
    assert section.count("<img") == 1
    # No true cell is long, so this class has no recall.
    assert ">none<" in section


def test_each_value_of_a_tag_has_a_row(tmp_path: Path) -> None:
    score = {"f1_pooled": {"value": 0.5}}
    by = {"cell_type": {"A172": {"images": 1, "scores": score}, "<BV2>": {"images": 1, "scores": score}}}
    section = tag_part({"scores": score, "by": by}, classes_in(tmp_path))
    assert section.count("<tr>") == 3
    assert "&lt;BV2&gt;" in section
    assert "balanced accuracy of cells" in section
    assert "0.800" in section


def test_without_classes_or_tags_there_is_nothing() -> None:
    assert class_part({}) == ""
    assert tag_part({"scores": {}}, {}) == ""
