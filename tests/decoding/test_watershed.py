"""Foreground divided by seeds and by peaks: by hand, and compared with a watershed of the whole image."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage
from skimage.segmentation import watershed

from cellseg_monai.decoding import basins, divide_by_distance, grow_seeds, packing
from cellseg_monai.decoding import watershed as module
from cellseg_monai.labels import relabel


def grown(mask, seeds, landscape):
    return grow_seeds(np.array(mask, bool), np.array(seeds, np.int32), np.array(landscape)).tolist()


def test_a_ridge_separates_two_seeds_and_other_components_stay_whole():
    assert grown(
        [[1, 1, 1, 1, 1, 0, 1, 1, 0, 1]],
        [[5, 0, 0, 0, 9, 0, 0, 7, 0, 0]],
        [[0, 1, 2, 1, 0, 0, 0, 0, 0, 0]],
    ) in ([[5, 5, 5, 9, 9, 0, 7, 7, 0, 10]], [[5, 5, 9, 9, 9, 0, 7, 7, 0, 10]])


def test_water_stays_within_the_foreground():
    # The middle of the bottom row is nearer to seed 2, but the longer way from seed 1 is lower.
    assert grown(
        [[1, 0, 1], [1, 0, 1], [1, 0, 1], [1, 1, 1]],
        [[1, 0, 0], [0, 0, 0], [0, 0, 2], [0, 0, 0]],
        [[0, 0, 5], [1, 0, 4], [2, 0, 0], [3, 8, 6]],
    ) == [[1, 0, 2], [1, 0, 2], [1, 0, 2], [1, 1, 2]]


def test_components_that_touch_by_a_corner_are_two():
    assert grown([[1, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, 0]], np.zeros((2, 3))) == [[1, 1, 0], [0, 0, 2]]


def test_each_component_without_seeds_is_an_object():
    assert grown([[1, 0, 1]], [[0, 0, 0]], [[0, 0, 0]]) == [[1, 0, 2]]


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (1, 1), (3, 4)], ids=str)
def test_without_foreground_there_are_no_objects(shape):
    nothing = np.zeros(shape, bool)
    assert grow_seeds(nothing, nothing.astype(np.int32), np.zeros(shape)).tolist() == nothing.astype(int).tolist()
    found = divide_by_distance(nothing, np.zeros(shape), 1)
    assert (found.shape, found.dtype, found.any()) == (shape, np.int32, False)


@pytest.mark.parametrize("shape", [(1, 1), (5, 9)], ids=str)
def test_one_object_can_fill_the_image(shape):
    mask = np.ones(shape, bool)
    assert grow_seeds(mask, np.zeros(shape, np.int32), np.zeros(shape)).tolist() == np.ones(shape).tolist()
    for distance in (np.ones(shape), None):
        assert divide_by_distance(mask, distance, 1).tolist() == np.ones(shape).tolist()


def test_basins_are_merged_across_the_highest_saddle_first():
    # Saddles at 4 and 2 between peaks of 5, 6 and 3: the peaks of 5 and 3 rise by 1 above their saddles.
    mask, distance = np.ones((1, 13), bool), np.array([[3.0, 4, 5, 4.5, 4, 5, 6, 4, 2, 2.5, 2.7, 2.9, 3]])
    assert divide_by_distance(mask, distance, 0).max() == 3
    assert len(np.unique(divide_by_distance(mask, distance, 1))) == 3
    one = divide_by_distance(mask, distance, 1.1)
    assert len(np.unique(one)) == 1


def test_a_low_peak_is_kept_if_it_rises_enough():
    # What counts is the rise above the saddle, so a small object next to a large one is kept.
    mask, distance = np.ones((1, 9), bool), np.array([[1, 5, 9, 5, 1, 2, 3, 2, 1.0]])
    assert divide_by_distance(mask, distance, 2).tolist() == [[1, 1, 1, 1, 1, 2, 2, 2, 2]]
    assert len(np.unique(divide_by_distance(mask, distance, 2.5))) == 1


def test_a_summit_within_two_pixels_of_a_higher_one_is_no_peak():
    for distance in ([[10, 8, 9.5, 8, 7]], [[10, 9.5, 8, 9.5, 10]]):
        objects = divide_by_distance(np.ones((1, 5), bool), np.array(distance, float), 1)
        assert objects.max() == len(np.unique(objects)) == (1 if distance[0][-1] == 7 else 2)


def test_equal_peaks_that_touch_by_a_corner_are_one_if_foreground_connects_them():
    distance = np.array([[2.0, 1, 0], [1, 2, 0], [0, 0, 0]])
    assert divide_by_distance(distance > 0, distance, 0).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert divide_by_distance(np.eye(3, dtype=bool), np.eye(3), 5).tolist() == [[1, 0, 0], [0, 2, 0], [0, 0, 3]]


@pytest.mark.parametrize("dtype", ["u1", "i4", "f2", "f4", "f8", ">f4"])
def test_any_dtype_of_the_distance_and_read_only_arrays(dtype):
    distance = np.array([[1, 2, 3, 2, 1, 2, 3, 2, 1]], dtype)
    mask = np.ones((1, 9), bool)
    for array in (distance, mask):
        array.flags.writeable = False
    assert divide_by_distance(mask, distance, 2).tolist() == [[1, 1, 1, 1, 1, 2, 2, 2, 2]]
    assert grow_seeds(mask, np.array([[0, 1, 0, 0, 0, 0, 0, 4, 0]], np.int32), 3 - distance).max() == 4


def drawn(seed, share):
    """Draw a mask with large and small components, and a different value for each pixel."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((7, 9))
    mask = ndimage.zoom(coarse, 4, order=1) < share
    return rng, mask, rng.permutation(mask.size).reshape(mask.shape).astype(np.float32)


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.floats(0.3, 0.8), st.sampled_from([0.01, 0.3]), st.sampled_from([1, 200, 10**6]))
def test_seeds_grow_as_in_a_watershed_of_the_whole_image(seed, share, seeded, box_pixels):
    rng, mask, landscape = drawn(seed, share)
    seeds, _ = ndimage.label(mask & (rng.random(mask.shape) < seeded))
    seeds[seeds == rng.integers(1, 10)] = 0  # a gap
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "_BATCH_PIXELS", box_pixels)
        patch.setattr(packing, "_ALONE_PIXELS", box_pixels)
        objects = grow_seeds(mask, seeds.astype(np.int32), landscape)
    whole = watershed(landscape, seeds, mask=mask)
    assert np.array_equal(objects[whole > 0], whole[whole > 0])
    unseeded = mask & (whole == 0)
    assert np.all(objects[unseeded] > seeds.max(initial=0))
    assert len(np.unique(objects[unseeded])) == ndimage.label(unseeded)[1]
    assert np.array_equal(objects > 0, mask)


@pytest.mark.parametrize("rings", [False, True])
def test_boundaries_whose_boxes_overlap_are_packed_once(rings, monkeypatch):
    y, x = np.indices((300, 300))
    ridge = (np.hypot(y, x) if rings else y + x) % 20 < 4
    seeds = ndimage.label(~ridge)[0].astype(np.int32)
    landscape = ridge.astype(np.float32)
    mask = np.ones(ridge.shape, bool)
    areas = []

    def noted(*arguments, **options):
        for found in packing.pack_components(*arguments, **options):
            areas.append(found.components.shape[0] * found.components.shape[1])
            yield found

    monkeypatch.setattr(module, "pack_components", noted)
    objects = grow_seeds(mask, seeds, landscape)
    assert sum(areas) <= 2 * mask.size
    assert np.array_equal(objects > 0, mask)
    assert np.array_equal(objects[~ridge], seeds[~ridge])
    monkeypatch.setattr(module, "pack_components", lambda pieces, wanted, **_: packing.pack_components(pieces, wanted))
    assert np.array_equal(objects, grow_seeds(np.asfortranarray(mask), np.asfortranarray(seeds), landscape))


@settings(max_examples=40)
@given(
    st.integers(0, 2**32), st.floats(0.3, 0.8), st.sampled_from([0, 1, 3]), st.sampled_from(["u1", "f2", "f4", "f8"])
)
def test_a_component_is_flooded_independently_of_others(seed, share, steps, dtype):
    # With few heights, or a single one, most pixels depend on the order of the queue.
    rng, mask, heights = drawn(seed, share)
    landscape = (heights * steps // heights.size).astype(dtype)
    seeds = ndimage.label(mask & (rng.random(mask.shape) < 0.1))[0].astype(np.int32)
    objects = grow_seeds(mask, seeds, landscape)
    numbers, _ = ndimage.label(mask)
    for number, box in enumerate(ndimage.find_objects(numbers), 1):
        piece = numbers[box] == number
        alone = grow_seeds(piece, np.where(piece, seeds[box], 0), landscape[box])
        if seeds[box][piece].any():
            assert np.array_equal(alone, np.where(piece, objects[box], 0))


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.floats(0.3, 0.8), st.sampled_from([0.0, 0.5, 1.0, 2.0]), st.booleans())
def test_each_object_is_connected_whatever_the_batches(seed, share, least_depth, euclidean):
    _, mask, heights = drawn(seed, share)
    distance = ndimage.distance_transform_edt(mask) if euclidean else ndimage.uniform_filter(heights, 5) / 50
    found = []
    for box_pixels in (1, 200, 10**6):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(packing, "_BATCH_PIXELS", box_pixels)
            patch.setattr(packing, "_ALONE_PIXELS", box_pixels)
            found.append(divide_by_distance(mask, distance, least_depth))
    assert np.array_equal(found[0] > 0, mask)
    for objects in found:
        for number in np.unique(objects[objects > 0]):
            assert ndimage.label(objects == number)[1] == 1
        assert len(np.unique(objects)) == len(np.unique(found[0]))
    if not euclidean:  # all heights differ, so nothing depends on the order of the queue
        first = [np.unique(objects, return_inverse=True)[1] for objects in found]
        assert all(len(np.unique(first[0] * 10**6 + other)) == len(np.unique(first[0])) for other in first)


@settings(max_examples=20)
@given(st.integers(0, 2**32), st.floats(0.3, 0.8), st.sampled_from([1, 150]))
def test_objects_are_the_same_whatever_the_blocks(seed, share, block_pixels):
    _, mask, heights = drawn(seed, share)
    expected = [divide_by_distance(mask, distance, 1) for distance in (None, heights)]
    with pytest.MonkeyPatch.context() as patch:
        for part in (basins, relabel):
            patch.setattr(part, "_BLOCK_PIXELS", block_pixels)
        found = [divide_by_distance(mask, distance, 1) for distance in (None, heights)]
    assert np.array_equal(found, expected)


def divided_plainly(mask, heights, least_depth):
    """Divide with every peak as a seed, one watershed of the whole image, and basins merged one by one."""
    peaks = (heights == ndimage.maximum_filter(heights, 5)) & mask
    basins = watershed(-heights, ndimage.label(peaks)[0], mask=mask)
    passes = {}
    for y, x in np.argwhere(mask):
        for place in ((y + 1, x), (y, x + 1)):
            if place[0] < mask.shape[0] and place[1] < mask.shape[1] and mask[place] and basins[place] != basins[y, x]:
                pair = tuple(sorted((basins[place], basins[y, x])))
                passes[pair] = max(passes.get(pair, 0), min(heights[place], heights[y, x]))
    owner = {number: number for number in np.unique(basins)}
    for (one, other), height in sorted(passes.items(), key=lambda item: -item[1]):
        one, other = owner[one], owner[other]
        if one != other and min(heights[basins == number].max() for number in (one, other)) - height < least_depth:
            basins[basins == one] = other
            owner = {number: other if now == one else now for number, now in owner.items()}
    return basins


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.floats(-3, 3), st.sampled_from([0.0, 0.51, 1.01, 2.01, 4.01]))
def test_peaks_divide_as_in_a_watershed_of_the_whole_image(seed, least, least_depth):
    # Cones, whose only summits are their peaks, and a little noise, so that all heights differ.
    rng = np.random.default_rng(seed)
    centres = np.argwhere(np.ones((4, 5))) * 7 + rng.integers(2, 5, (20, 2))
    away = np.hypot(*(np.indices((28, 36))[:, np.newaxis] - centres.T[..., np.newaxis, np.newaxis]))
    heights = (rng.uniform(4, 7, (20, 1, 1)) - away).max(axis=0) + rng.random((28, 36)) / 100
    mask = heights > least
    cross = ndimage.generate_binary_structure(2, 1)
    summits = (heights == ndimage.maximum_filter(heights, footprint=cross)) & mask
    # Skip images with a summit next to a higher slope: it is no peak, and the order of merging decides what floods it.
    assume(np.array_equal(summits, (heights == ndimage.maximum_filter(heights, 5)) & mask))
    found, plain = divide_by_distance(mask, heights, least_depth), divided_plainly(mask, heights, least_depth)
    assert np.array_equal(found > 0, mask)
    pairs = np.unique(np.stack([found, plain])[:, mask], axis=1)
    assert pairs.shape[1] == len(np.unique(pairs[0])) == len(np.unique(pairs[1]))


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.floats(0.3, 0.8))
def test_deeper_necks_give_fewer_objects(seed, share):
    _, mask, _ = drawn(seed, share)
    objects = [len(np.unique(divide_by_distance(mask, None, least)[mask])) for least in (0.0, 0.5, 1.0, 2.0, np.inf)]
    assert objects == sorted(objects, reverse=True)
    assert objects[-1] == ndimage.label(mask)[1]
