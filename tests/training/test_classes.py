"""Handlers for classes: pictures of confusion matrices, and the report of an evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from ignite.engine import Engine

from cellseg_monai.heads import CellClassHead, ForegroundHead, ImageClassHead, JoinedHeads
from cellseg_monai.metrics import CellClassScore, ImageClassScore
from cellseg_monai.training import ClassReport, ConfusionPictures

HEAD = JoinedHeads((ForegroundHead(), CellClassHead(("round", "long")), ImageClassHead(("A", "B"), tag="cell_type")))


def item(found: list[int], true: list[int], image_class: int, cell_type: str) -> dict:
    """Return what the engine yields for an image with one cell per class number."""
    ids = torch.arange(1, len(true) + 1)
    return {
        "classified": torch.stack([ids, torch.tensor(found)])[:, None],
        "truly_classified": torch.stack([ids, torch.tensor(true)])[:, None],
        "image_class": torch.tensor([image_class]),
        "true_image_class": torch.tensor([["A", "B"].index(cell_type) if cell_type else -1]),
        "tags": {"cell_type": cell_type},
    }


ITEMS = [item([0, 1, 1], [0, 1, -1], 0, "A"), item([0, 0], [0, 1], 0, "B"), item([1], [1], 1, "")]


def test_the_report_counts_cells_and_images(tmp_path: Path) -> None:
    engine = Engine(lambda engine, number: [ITEMS[number]])
    ClassReport(str(tmp_path), HEAD).attach(engine)
    for _ in range(2):  # a second evaluation replaces the first
        engine.run(range(3))
    content = json.loads((tmp_path / "evaluation" / "classes_summary.json").read_text())
    assert content["cells"]["confusion"] == [[2, 0], [1, 2]]
    assert content["images"]["confusion"] == [[1, 0], [1, 0]]
    assert content["images"]["classes"] == ["A", "B"]
    assert content["cells"]["by"]["cell_type"]["B"]["counted"] == 2
    assert (tmp_path / "evaluation" / "images_confusion.png").is_file()


def test_pictures_are_drawn_where_classes_are_known() -> None:
    cells, images = CellClassScore(2), ImageClassScore(2)
    engine = Engine(lambda engine, number: [ITEMS[number]])
    ConfusionPictures({"cells": cells, "images": images}, HEAD).attach(engine)
    cells(ITEMS[0]["classified"][None], ITEMS[0]["truly_classified"][None])
    images(torch.tensor([[0]]), torch.tensor([[-1]]))
    engine.run([0])
    assert list(engine.state.pictures) == ["confusion of cells"]
    assert engine.state.pictures["confusion of cells"].ndim == 3
