"""Objects are measured, and brought to the size and the polarity of the network."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tifffile import imwrite

from cellseg_monai.errors import DatasetError
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.scouting import KINDS, Scout
from cellseg_monai.transforms import LoadMicroscopyd, MeasureObjectsd, PreparePixelsd, SizeObjectsd

SETTINGS = Preprocessing(diameter_px=10.0, polarity="bright", noise_floor=0, lower_percentile=0, upper_percentile=100)


def labels(side: int) -> np.ndarray:
    """Return a label image with four squares of the given side."""
    field = np.zeros((80, 80), np.uint16)
    for number, (top, left) in enumerate([(5, 5), (5, 45), (45, 5), (45, 45)], start=1):
        field[top : top + side, left : left + side] = number
    return field


def items(folder, sides, *, dark=False):
    """Write images whose objects have the given sides, and return their items."""
    for part in ("images", "labels"):
        (folder / part).mkdir()
    for number, side in enumerate(sides):
        field = labels(side)
        image = np.where(field > 0, 50, 200) if dark else np.where(field > 0, 200, 50)
        imwrite(folder / "images" / f"{number}.tif", image.astype(np.uint8))
        imwrite(folder / "labels" / f"{number}.tif", field)
    return [
        {"image": str(folder / "images" / f"{number}.tif"), "label": str(folder / "labels" / f"{number}.tif")}
        for number in range(len(sides))
    ]


def prepared(item, **options):
    return PreparePixelsd(SETTINGS, **options)(MeasureObjectsd(SETTINGS)(LoadMicroscopyd()(item)))


@pytest.mark.parametrize("dark", [False, True])
def test_objects_become_bright_and_get_the_diameter_of_the_network(tmp_path, dark):
    (item,) = items(tmp_path, [20], dark=dark)
    out = prepared(item)
    zoom = 10 / (20 * 2 / math.sqrt(math.pi))
    assert out["image"].shape == out["label"].shape == (1, round(80 * zoom), round(80 * zoom))
    assert float(out["image"][out["label"] > 0].mean()) > 0.8
    assert float(out["image"][out["label"] == 0].mean()) < 0.2
    assert not {"object_diameter_px", "dark_objects"} & out.keys()


def test_without_resampling_the_zoom_is_kept_for_the_crop(tmp_path):
    (item,) = items(tmp_path, [20])
    out = prepared(item, resample=False)
    assert out["image"].shape == (1, 80, 80)
    assert out["image_zoom"] == pytest.approx(10 / (20 * 2 / math.sqrt(math.pi)), abs=0.01)


def test_an_image_without_objects_has_the_diameter_of_the_nearest_one_with_objects(tmp_path):
    listed = items(tmp_path, [10, 0, 0, 30])
    diameters = [MeasureObjectsd(SETTINGS)(LoadMicroscopyd()(item))["object_diameter_px"] for item in listed]
    assert diameters == pytest.approx([side * 2 / math.sqrt(math.pi) for side in (10, 10, 30, 30)])


def test_a_data_set_without_objects_keeps_the_size_of_its_images(tmp_path):
    (item,) = items(tmp_path, [0])
    out = prepared(item)
    assert out["image"].shape == (1, 80, 80)
    assert torch.equal(out["image"], torch.zeros(1, 80, 80))


def test_an_object_of_absurd_size_is_named_with_its_file(tmp_path):
    (item,) = items(tmp_path, [20])
    settings = Preprocessing(diameter_px=1000.0)
    measured = MeasureObjectsd(settings)(LoadMicroscopyd()(item))
    with pytest.raises(DatasetError, match=r"0\.tif: got objects of 22.5676 pixels"):
        PreparePixelsd(settings)(measured)


def test_images_for_a_network_trained_at_their_own_size_are_not_measured(tmp_path):
    settings = Preprocessing(noise_floor=0)
    (item,) = map(LoadMicroscopyd(), items(tmp_path, [8]))
    measured = MeasureObjectsd(settings)(item)
    assert "object_diameter_px" not in measured
    assert PreparePixelsd(settings, label_key=None)(measured)["image"].shape == (1, 80, 80)


class TestSizes:
    """`SizeObjectsd` takes the size from labels, from a scout or from the user."""

    @staticmethod
    def sized(item, diameter, settings=SETTINGS, **options):
        def answer(views):
            return np.array([[math.log2(25.0), -5.0, 5.0, *[0.0] * len(KINDS)]] * len(views))

        loaded = LoadMicroscopyd()(item)
        return SizeObjectsd(settings, diameter, lambda: Scout(answer, "1", ""), **options)(loaded)

    @pytest.mark.parametrize(
        ("diameter", "expected_px"),
        [("true", 20 * 2 / math.sqrt(math.pi)), ("auto", 25.0), (40, 40.0), ("none", math.nan)],
    )
    def test_each_way_gives_a_diameter(self, tmp_path, diameter, expected_px):
        (item,) = items(tmp_path, [20])
        out = self.sized(item, diameter)
        assert out["object_diameter_px"] == pytest.approx(expected_px, nan_ok=True)
        assert out["dark_objects"] is (diameter != "true")  # the scout sees dark objects, the labels bright ones

    @pytest.mark.parametrize("diameter", ["true", "auto", 40])
    def test_the_user_tells_the_polarity(self, tmp_path, diameter):
        (item,) = items(tmp_path, [20])
        for polarity in ("bright", "dark"):
            assert self.sized(item, diameter, polarity=polarity)["dark_objects"] is (polarity == "dark")

    @pytest.mark.parametrize(
        ("settings", "polarity", "message"),
        [
            (SETTINGS, "inverted", "got polarity='inverted', expected auto, bright, dark"),
            (Preprocessing(), "dark", "got polarity='dark' for a network that takes any polarity"),
        ],
    )
    def test_other_polarities_are_refused(self, settings, polarity, message):
        with pytest.raises(ValueError, match=message):
            SizeObjectsd(settings, polarity=polarity)

    def test_a_network_for_images_at_their_own_size_needs_no_scout(self, tmp_path):
        (item,) = items(tmp_path, [20])

        def nobody():
            raise AssertionError

        sized = SizeObjectsd(Preprocessing(), "auto", nobody)(LoadMicroscopyd()(item))
        assert math.isnan(sized["object_diameter_px"])

    def test_what_cannot_be_scaled_to_is_brought_within_reach(self, tmp_path):
        (item,) = items(tmp_path, [20])
        tiny = Preprocessing(diameter_px=1.0, polarity="bright")
        assert self.sized(item, "auto", tiny)["object_diameter_px"] == 20.0

    @pytest.mark.parametrize("diameter", ["big", -1, True, None])
    def test_other_diameters_are_refused(self, diameter):
        with pytest.raises(
            ValueError, match=r"got diameter=.*expected a number of pixels, true, auto, none; choose one"
        ):
            SizeObjectsd(SETTINGS, diameter)
