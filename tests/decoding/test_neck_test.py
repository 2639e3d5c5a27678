"""Components that certainly have no neck: by hand, and compared with what division makes of them."""

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


def is_neckless(mask, least_depth):
    return surely_neckless(ComponentRuns.from_mask(mask), least_depth)[1:].tolist()


def test_discs_have_no_neck_but_two_overlapping_ones_have():
    two = np.zeros((43, 73), bool)
    for left in (0, 30):
        two[:, left : left + 43] |= disc(20)
    assert is_neckless(disc(20), 4) == [True]
    assert is_neckless(two, 4) == [False]
    assert divide_by_distance(two, None, 4).max() == 2


def test_dents_up_to_the_allowed_depth_and_deeper():
    square = np.pad(np.ones((30, 30), bool), 1)
    for deep, expected in ((0, True), (1, True), (2, True), (3, False), (9, False)):
        dented = square.copy()
        dented[12:18, 1 : 1 + deep] = False
        assert is_neckless(dented, 4) == is_neckless(dented[:, ::-1], 4) == [expected]
        assert is_neckless(dented, 12) == [deep < 10]


def test_components_at_the_border_can_continue_and_thin_ones_have_no_room_for_two_peaks():
    square = np.ones((30, 30), bool)
    for sides in ([(0, 1), (1, 1)], [(1, 0), (1, 1)], [(1, 1), (0, 1)], [(1, 1), (1, 0)]):
        assert is_neckless(np.pad(square, sides), 4) == [False]
    snake = np.ones((7, 40), bool)
    snake[3, 1:] = False
    snake[3, ::9] = False
    snake[3, 20] = True
    assert is_neckless(np.pad(snake, 1), 4) == [True]
    assert is_neckless(np.pad(np.repeat(snake, 2, axis=0), 1), 4) == [False]


def test_at_depth_0_nothing_is_certain_and_an_empty_mask_has_no_components():
    assert is_neckless(disc(9), 0) == [False]
    assert is_neckless(np.zeros((3, 3), bool), 4) == []


@pytest.mark.parametrize("least_depth", [1.0, 2.2, 3.2, 3.6, 4.0, 8.0, 30.0])
@settings(max_examples=60)
@given(st.integers(0, 2**32), st.floats(0, 0.5))
def test_no_neckless_component_would_have_been_divided(least_depth, seed, rough):
    rng = np.random.default_rng(seed)
    mask = np.zeros((70, 90), bool)
    for centre in rng.integers(8, 80, (rng.integers(1, 5), 2)):
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 12)))
        around = centre + np.stack([np.sin(angles), np.cos(angles)], axis=1) * rng.uniform(3, 30, 2)
        mask |= polygon2mask(mask.shape, around)
    rim = mask & ~ndimage.binary_erosion(mask)
    mask &= ~(rim & (rng.random(mask.shape) < rough))
    components = ComponentRuns.from_mask(mask)
    neckless = surely_neckless(components, least_depth)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "surely_neckless", lambda components, _: np.zeros(components.count + 1, bool))
        objects = divide_by_distance(mask, None, least_depth)
    for number in np.flatnonzero(neckless):
        assert len(np.unique(objects[components.label_image == number])) == 1


def test_a_depth_within_the_error_of_the_grid_is_not_enough():
    grid = 5**0.5 / 2 + 0.5**0.5
    square = np.pad(np.ones((30, 30), bool), 1)
    results = [is_neckless(square, depth)[0] for depth in (grid - 0.01, grid, grid + 0.01, np.inf)]
    assert results == [False, False, True, True]
