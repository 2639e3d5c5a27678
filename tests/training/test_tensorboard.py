"""Panels of image, truth and prediction for TensorBoard."""

from pathlib import Path

import numpy as np
import pytest
import torch
from ignite.engine import Engine

from cellseg_monai.training import TensorBoardLog, panel
from cellseg_monai.training.tensorboard import outline_panel

YELLOW = [255, 225, 25]


def test_a_panel_is_upright() -> None:
    image = np.zeros((1, 2, 3))
    image[0, 0, 2] = 10  # top right
    truth = np.array([[[1.0, 0, 0], [0, 0, 0]]])  # top left
    prediction = np.array([[[0.0, 0, 0], [1, 0, 0]]])  # bottom left
    picture = panel(image, truth, prediction)
    assert picture.shape == (2, 3 * 3 + 8, 3)
    parts = [picture[:, start : start + 3, 0] for start in (0, 7, 14)]
    assert parts[0].tolist() == [[0, 0, 255], [0, 0, 0]]
    assert parts[1].tolist() == [[255, 0, 0], [0, 0, 0]]
    assert parts[2].tolist() == [[0, 0, 0], [255, 0, 0]]


def test_channels_are_averaged_unless_there_are_one_or_three() -> None:
    image = np.zeros((4, 1, 2))
    image[:, 0, 1] = [1, 2, 3, 4]
    assert panel(image, np.zeros((1, 2)), np.zeros((1, 2)))[0, :2].tolist() == [[0, 0, 0], [255, 255, 255]]


def test_the_panel_of_a_large_image_is_subsampled() -> None:
    mask = np.zeros((3000, 10))
    assert panel(mask[None], mask, mask).shape == (1000, 3 * 4 + 8, 3)


def test_a_panel_keeps_colours() -> None:
    image = np.zeros((3, 1, 1))
    image[1] = 1
    picture = panel(image, np.zeros((1, 1, 1)), np.zeros((1, 1, 1)))
    assert picture[0, 0].tolist() == [0, 255, 0]


def test_an_outline_panel_shows_true_and_predicted_objects_over_the_image() -> None:
    image = np.zeros((1, 3, 4))
    image[0, 0, 0] = 7
    truth, objects = np.zeros((1, 3, 4), int), np.zeros((3, 4), int)
    truth[0, 0, 1:3] = [1, 2]
    objects[2, 3] = 70_000
    picture = outline_panel(image, truth, objects)
    assert picture.shape == (3, 3 * 4 + 8, 3)
    parts = [picture[:, start : start + 4] for start in (0, 8, 16)]
    assert all(part[0, 0].tolist() == [255] * 3 for part in parts)
    for part, outline in zip(parts, ([], [(0, 1), (0, 2)], [(2, 3)]), strict=True):
        assert np.argwhere((part == YELLOW).all(-1)).tolist() == [list(pixel) for pixel in outline]


def test_an_outline_panel_has_the_size_of_the_labels_and_is_subsampled() -> None:
    labels = np.zeros((1, 3000, 10), int)
    assert outline_panel(np.zeros((1, 1500, 5)), labels, labels).shape == (1000, 3 * 4 + 8, 3)


@pytest.mark.parametrize("with_objects", [True, False], ids=["objects", "masks"])
def test_panels_show_outlines_if_the_evaluator_yields_objects(tmp_path: Path, with_objects: bool) -> None:
    item = {"image": torch.zeros(1, 2, 3), "pred": torch.zeros(1, 2, 3), "label": torch.zeros(1, 2, 3)}
    ids = torch.tensor([[[0, 4, 0], [0, 0, 0]]], dtype=torch.int32)
    objects = {"objects": ids, "truth": torch.zeros_like(ids)} if with_objects else {}
    evaluator = Engine(lambda engine, batch: batch)
    log = TensorBoardLog(str(tmp_path), evaluator, torch.nn.Identity(), n_panels=2)
    log.attach(Engine(lambda engine, batch: None))
    for _ in range(2):  # only the panels of the last validation are kept
        evaluator.run([[{**item, **objects}]] * 3)
        assert len(log._panels) == 2
    yellow = (log._panels[0] == YELLOW).all(-1)
    assert np.argwhere(yellow).tolist() == ([[0, 14 + 1]] if with_objects else [])
