"""Overlays: the content of each layer and the positions of the marks."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from cellseg_monai.report.overlay import MARKS, View, crop_corners, overlay
from cellseg_monai.scores import label_overlaps, match_objects, object_mistakes


def view(truth: np.ndarray, prediction: np.ndarray, brightness: int = 0) -> View:
    overlaps = label_overlaps(prediction, truth)
    mistakes = object_mistakes(overlaps, match_objects(overlaps, [0.5])[0])
    return View(np.full((*truth.shape, 3), brightness, np.uint8), truth, prediction, mistakes)


def field(*objects: tuple[int, int, int]) -> np.ndarray:
    """Label squares of 20 by 20 pixels, each given as id, first row and first column."""
    labels = np.zeros((100, 200), np.int32)
    for number, row, column in objects:
        labels[row : row + 20, column : column + 20] = number
    return labels


def layers(content: str) -> list[np.ndarray]:
    """Return image, truth and prediction, as RGBA."""
    pictures = re.findall(r'src="data:image/\w+;base64,([^"]+)"', content)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGBA")) for picture in pictures]


def marks(content: str) -> dict[str, tuple[int, int]]:
    texts = re.findall(r'<text x="(\d+)" y="(\d+)">(.)</text>', content)
    return {mark: (int(x), int(y)) for x, y, mark in texts}


def test_true_outlines_are_solid_predicted_ones_are_dashed_and_found_objects_are_not_tinted() -> None:
    labels = field((3, 20, 20))
    _, truth, prediction = layers(overlay(view(labels, labels), "", side_px=200))
    assert (truth[20, 20:40, 3] == 255).all()
    opacity = prediction[20, 20:40, 3]
    assert 0 < (opacity == 255).sum() < 20
    assert not truth[30, 30].any()
    assert not prediction[30, 30].any()


@pytest.mark.parametrize("side_px", [100, 200, 800])
def test_dashes_cover_half_of_an_outline_at_every_size(side_px: int) -> None:
    labels = field((3, 20, 20), (4, 60, 100))
    _, truth, prediction = layers(overlay(view(labels, labels), "", side_px=side_px))
    solid, dashed = ((layer[..., 3] == 255).sum() for layer in (truth, prediction))
    assert dashed / solid == pytest.approx(0.5, abs=0.1)


def test_objects_without_a_partner_are_tinted_and_marked() -> None:
    content = overlay(view(field((1, 60, 60)), field((7, 60, 120))), "", side_px=200)
    _, truth, prediction = layers(content)
    assert 0 < truth[70, 70, 3] < 255
    assert 0 < prediction[70, 130, 3] < 255
    positions = marks(content)
    assert set(positions) == {MARKS["missed"][0], MARKS["invented"][0]}
    for mark, column in (("−", 70), ("+", 130)):  # above the object
        assert abs(positions[mark][0] - column) <= 1
        assert 50 <= positions[mark][1] < 62


def test_splits_merges_and_loose_outlines_have_their_marks() -> None:
    truth = field((1, 10, 10), (2, 60, 10), (3, 60, 30), (4, 20, 150))
    prediction = field((6, 10, 10), (9, 60, 10), (9, 60, 30), (5, 34, 150))
    prediction[10:20, 10:30] = 8
    assert set(marks(overlay(view(truth, prediction), "", side_px=200))) == {"S", "M", "≈"}


def test_layers_have_the_requested_size_and_a_small_image_is_not_enlarged() -> None:
    shapes = [layer.shape[:2] for layer in layers(overlay(view(field(), field()), "", side_px=400))]
    assert shapes == [(100, 200), (200, 400), (200, 400)]
    shapes = [layer.shape[:2] for layer in layers(overlay(view(field(), field()), "", side_px=100))]
    assert shapes == [(50, 100)] * 3


@pytest.mark.parametrize(("brightness", "colour"), [(0, [86, 180, 233]), (240, [0, 114, 178])], ids=["dark", "bright"])
def test_colours_suit_the_image(brightness: int, colour: list[int]) -> None:
    labels = field((3, 20, 20))
    _, truth, _ = layers(overlay(view(labels, labels, brightness), "", side_px=200))
    assert truth[20, 30, :3].tolist() == colour


def test_the_alternative_text_is_escaped() -> None:
    assert 'alt="&quot;&gt;&lt;script&gt;"' in overlay(view(field(), field()), '"><script>', side_px=50)


def test_crops_show_most_mistakes_first_and_no_mistake_twice() -> None:
    shown = view(field((1, 10, 10), (2, 10, 40), (3, 70, 170)), field())
    corners = crop_corners(shown, side=64, most=5)
    assert len(corners) == 2
    (top, left), (_, second_left) = corners
    assert top <= 10
    assert left <= 10
    assert left + 64 >= 60
    assert second_left == 200 - 64
    assert crop_corners(shown, side=64, most=1) == corners[:1]
    assert crop_corners(view(field(), field()), side=64, most=5) == []


def test_a_crop_has_marks_only_for_its_own_mistakes() -> None:
    shown = view(field((1, 10, 10), (3, 70, 170)), field())
    content = overlay(shown.crop(0, 0, 64), "", side_px=64)
    assert content.count("<text") == 1
    assert "--wide: 64; --high: 64" in content
