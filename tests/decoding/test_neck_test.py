"""ComponentRuns that are known to have no neck: by hand, and against the depths of the whole image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.draw import polygon2mask

from cellseg_monai.decoding import divide_by_distance
from cellseg_monai.decoding import division as module
from cellseg_monai.decoding.component_runs import ComponentRuns
from cellseg_monai.decoding.neck_test import surely_neckless


def disc(radius):
    return np.hypot(*np.indices((2 * radius + 3,) * 2) - radius - 1) <= radius


def answers(mask, least_depth):
    return surely_neckless(ComponentRuns.from_mask(mask), least_depth)[1:].tolist()


def test_discs_have_no_neck_and_two_that_overlap_have_one():
    two = np.zeros((43, 73), bool)
    for left in (0, 30):
        two[:, left : left + 43] |= disc(20)
    assert answers(disc(20), 4) == [True]
    assert answers(two, 4) == [False]
    assert divide_by_distance(two, None, 4).max() == 2


def test_a_dent_as_deep_as_allowed_and_deeper():
    square = np.pad(np.ones((30, 30), bool), 1)
    for deep, expected in ((0, True), (1, True), (2, True), (3, False), (9, False)):
        dented = square.copy()
        dented[12:18, 1 : 1 + deep] = False
        assert answers(dented, 4) == answers(dented[:, ::-1], 4) == [expected]
        assert answers(dented, 12) == [deep < 10]


def test_what_lies_at_the_border_may_go_on_and_what_is_thin_has_no_room_for_two():
    square = np.ones((30, 30), bool)
    for sides in ([(0, 1), (1, 1)], [(1, 0), (1, 1)], [(1, 1), (0, 1)], [(1, 1), (1, 0)]):
        assert answers(np.pad(square, sides), 4) == [False]
    snake = np.ones((7, 40), bool)
    snake[3, 1:] = False
    snake[3, ::9] = False
    snake[3, 20] = True
    assert answers(np.pad(snake, 1), 4) == [True]
    assert answers(np.pad(np.repeat(snake, 2, axis=0), 1), 4) == [False]


def test_without_a_depth_nothing_is_known_and_nothing_is_in_nothing():
    assert answers(disc(9), 0) == [False]
    assert answers(np.zeros((3, 3), bool), 4) == []


@pytest.mark.parametrize("least_depth", [1.0, 2.2, 3.2, 3.6, 4.0, 8.0, 30.0])
@settings(max_examples=60)
@given(st.integers(0, 2**32), st.floats(0, 0.5))
def test_none_of_them_would_have_been_divided(least_depth, seed, rough):
    rng = np.random.default_rng(seed)
    mask = np.zeros((70, 90), bool)
    for centre in rng.integers(8, 80, (rng.integers(1, 5), 2)):
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 12)))
        around = centre + np.stack([np.sin(angles), np.cos(angles)], axis=1) * rng.uniform(3, 30, 2)
        mask |= polygon2mask(mask.shape, around)
    rim = mask & ~ndimage.binary_erosion(mask)
    mask &= ~(rim & (rng.random(mask.shape) < rough))
    pieces = ComponentRuns.from_mask(mask)
    found = surely_neckless(pieces, least_depth)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "surely_neckless", lambda pieces, _: np.zeros(pieces.count + 1, bool))
        objects = divide_by_distance(mask, None, least_depth)
    for number in np.flatnonzero(found):
        assert len(np.unique(objects[pieces.label_image == number])) == 1


def test_a_depth_that_the_grid_alone_makes_up_for_is_not_enough():
    grid = 5**0.5 / 2 + 0.5**0.5
    square = np.pad(np.ones((30, 30), bool), 1)
    found = [answers(square, depth)[0] for depth in (grid - 0.01, grid, grid + 0.01, np.inf)]
    assert found == [False, False, True, True]
