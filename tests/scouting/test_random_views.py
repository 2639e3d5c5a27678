"""Random views for training."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cellseg_monai.data import nuclei
from cellseg_monai.scouting import KINDS, NONE, SIDE_PX
from cellseg_monai.scouting.foreign import foreign_picture
from cellseg_monai.scouting.random_views import random_foreign_view, random_view, sample_of


@pytest.fixture(scope="module")
def sample():
    picture = nuclei((300, 400), seed=1, diameter_px=24.0)
    return sample_of(picture.image[np.newaxis], picture.labels, "fluorescence_nuclei")


def test_a_sample_knows_its_objects(sample):
    assert sample.diameter_px == pytest.approx(24, rel=0.25)
    assert not sample.is_dark
    assert 0 <= sample.pixels.min() <= sample.pixels.max() <= 1


def test_views_have_the_diameter_of_their_resolution(sample):
    generator = np.random.default_rng(0)
    targets = []
    for _ in range(60):
        view, target = random_view(sample, generator)
        assert view.shape == (3, SIDE_PX, SIDE_PX)
        assert 0 <= view.min() <= view.max() <= 1
        assert target[2] == list(KINDS).index("fluorescence_nuclei")
        targets.append(target)
    known = np.array([target for target in targets if target[3]])
    assert len(known) > 40
    lowest, highest = (known[:, 0].min(), known[:, 0].max())
    assert highest - lowest > 2  # resolutions differ by a factor of four and more
    assert 2.0**highest <= 24 * 1.3 * 2.5
    assert 0 < known[:, 1].mean() < 0.4  # a few views are inverted


def test_the_diameter_of_a_view_is_that_of_the_objects_in_it():
    labels = np.zeros((480, 480), int)
    rows, columns = np.mgrid[:480, :480]
    for number, (top, left) in enumerate(np.ndindex(6, 6), start=1):
        labels[np.hypot(rows - 40 - 80 * top, columns - 40 - 80 * left) < 20] = number
    sample = sample_of(np.where(labels, 200, 20)[np.newaxis].astype(np.uint8), labels, "fluorescence_nuclei")
    generator = np.random.default_rng(3)
    for _ in range(20):
        view, (log2_diameter, is_dark, _, is_known) = random_view(sample, generator)
        bright = view[0] < view[0].max() / 2 if is_dark else view[0] > view[0].max() / 2
        if not is_known or not 8 < 2**log2_diameter < 60 or bright.mean() < 0.05:
            continue
        # A disc of diameter d in a square lattice of 2 d covers π / 16 of the plane.
        inside = bright[view[0] > 0] if is_dark else bright
        assert 0 < inside.mean() < 1
        assert math.isclose(sample.diameter_px, 39.5, rel_tol=0.03)


def test_foreign_views_are_of_no_kind():
    generator = np.random.default_rng(0)
    photograph = generator.random((3, 200, 300)).astype(np.float32)
    for picture in (None, photograph):
        for _ in range(20):
            view, target = random_foreign_view(generator, picture)
            assert view.shape == (3, SIDE_PX, SIDE_PX)
            assert np.isfinite(view).all()
            assert target.tolist() == [0, 0, list(KINDS).index(NONE), 0]


def test_pictures_differ_and_are_in_range():
    generator = np.random.default_rng(0)
    pictures = [foreign_picture((40, 56), generator) for _ in range(60)]
    assert all(picture.shape == (3, 40, 56) and 0 <= picture.min() <= picture.max() <= 1 for picture in pictures)
    assert len({picture.tobytes() for picture in pictures}) == 60
