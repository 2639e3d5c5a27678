import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cellseg_monai.decoding import METHODS, Method, Postprocessing, foreground_mask, label_objects
from cellseg_monai.errors import BundleError
from cellseg_monai.labels import boundary_classes, foreground_and_boundary
from cellseg_monai.scores import label_overlaps
from tests.decoding.named_maps import named, postprocessing

EVERYTHING = Postprocessing(min_area_px=0, fill_holes=False)


def test_the_threshold_itself_is_background():
    for dtype in (np.float16, np.float32, np.float64):
        probabilities = np.array([0.25, 0.5, 0.75], dtype)
        assert foreground_mask(probabilities, Postprocessing(threshold=0.5)).tolist() == [False, False, True]


def test_objects_are_numbered_without_gaps_after_small_ones_are_dropped():
    probabilities = np.array(
        [
            [0.9, 0.0, 0.8, 0.8, 0.0],
            [0.0, 0.0, 0.8, 0.0, 0.0],
            [0.7, 0.7, 0.0, 0.0, 0.6],
        ]
    )
    assert label_objects(named(probabilities), Postprocessing(min_area_px=2)).tolist() == [
        [0, 0, 1, 1, 0],
        [0, 0, 1, 0, 0],
        [2, 2, 0, 0, 0],
    ]


def test_pixels_that_touch_by_a_corner_are_two_objects():
    assert label_objects(named(np.eye(2)), EVERYTHING).tolist() == [[1, 0], [0, 2]]


def test_holes_are_filled_but_bays_are_not():
    ring = np.ones((3, 7))
    ring[1, 1] = ring[1, 5] = ring[1, 6] = 0
    filled = label_objects(named(ring), Postprocessing(min_area_px=0))
    assert filled.tolist() == [[1] * 7, [1, 1, 1, 1, 1, 0, 0], [1] * 7]
    assert label_objects(named(ring), EVERYTHING)[1, 1] == 0


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.9), st.integers(0, 12))
def test_objects_are_whole_large_enough_and_numbered_1_to_n(seed, share, min_area_px):
    probabilities = (np.random.default_rng(seed).random((17, 23)) < share).astype(np.float32)
    labels = label_objects(named(probabilities), Postprocessing(min_area_px=min_area_px))
    assert labels.dtype == np.int32
    ids, areas = np.unique(labels[labels > 0], return_counts=True)
    assert ids.tolist() == list(range(1, len(ids) + 1))
    assert np.all(areas >= min_area_px)
    assert all(ndimage.label(labels == i)[1] == 1 for i in ids)
    filled = ndimage.binary_fill_holes(probabilities > 0.5)
    if min_area_px <= 1:
        np.testing.assert_array_equal(labels > 0, filled)
    assert not np.any((labels > 0) & ~filled)


@pytest.mark.parametrize("value", [0.0, 1.0], ids=["nothing", "everything"])
def test_an_image_of_nothing_but_background_or_foreground(value):
    labels = label_objects(named(np.full((6, 6), value)), Postprocessing())
    assert np.all(labels == int(value))


@pytest.mark.parametrize("bad", [[[-3.0, 4.0]], [[np.nan, 0.5]]], ids=["logits", "NaN"])
def test_values_that_are_not_probabilities_are_refused(bad):
    with pytest.raises(ValueError, match="apply a sigmoid first"):
        label_objects(named(bad), Postprocessing())


@pytest.mark.parametrize("method", METHODS)
def test_a_missing_map_or_one_of_another_shape_is_refused(method):
    settings, maps = postprocessing(method), named(np.zeros((3, 4, 4)))
    for name in ("foreground", *METHODS[method].maps):
        without = {other: values for other, values in maps.items() if other != name}
        with pytest.raises(ValueError, match=f"the map {name} is missing"):
            label_objects(without, settings)
        for shape in ((4,), (1, 4, 4)):
            with pytest.raises(ValueError, match=f"got the map {name} of shape "):
                label_objects({**maps, name: np.zeros(shape)}, settings)
    for name in METHODS[method].maps:
        with pytest.raises(ValueError, match="the same for every map"):
            label_objects({**maps, name: np.zeros((4, 5))}, settings)
    assert label_objects(maps, settings).shape == (4, 4)


@pytest.mark.parametrize("method", ["boundary_watershed", "distance_map_watershed"])
def test_the_second_map_is_checked_only_if_the_method_uses_it(method):
    maps = np.stack([np.zeros((2, 2)), np.full((2, 2), np.nan)])
    with pytest.raises(ValueError, match="values from nan to nan"):
        label_objects(named(maps), postprocessing(method))
    assert not label_objects(named(maps), Postprocessing()).any()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1)], ids=str)
def test_images_without_pixels_or_with_one(method, shape):
    found = label_objects(named(np.ones((2, *shape))), postprocessing(method, min_area_px=0))
    assert (found.shape, found.dtype) == (shape, np.int32)
    assert found.tolist() == np.ones(shape).tolist()


@pytest.mark.parametrize("method", METHODS)
def test_an_image_full_of_foreground_is_one_object(method):
    for second in (0.0, 1.0):
        maps = np.stack([np.ones((20, 31)), np.full((20, 31), second)])
        assert np.array_equal(label_objects(named(maps), postprocessing(method)), np.ones((20, 31)))


@pytest.mark.parametrize("method", METHODS)
def test_a_read_only_memory_map_is_read(tmp_path, method):
    maps = np.random.default_rng(0).random((2, 24, 30)).astype(np.float32)
    maps[0] = ndimage.uniform_filter(maps[0], 5) > 0.5
    maps[0, 14:16] = 0
    np.save(tmp_path / "maps.npy", maps)
    found = label_objects(named(np.load(tmp_path / "maps.npy", mmap_mode="r")[:, ::-1]), postprocessing(method))
    assert found.max() > 1
    assert np.array_equal(found, label_objects(named(maps[:, ::-1].copy()), postprocessing(method)))


@pytest.mark.parametrize("method", METHODS)
def test_objects_have_the_size_of_the_image(method):
    maps = np.zeros((2, 4, 6))
    maps[0, 1:3, 1:5] = 1
    found = label_objects(named(maps), postprocessing(method, min_area_px=8), (8, 12))
    assert found.shape == (8, 12)
    assert np.argwhere(found).min(axis=0).tolist() == [2, 2]
    assert np.argwhere(found).max(axis=0).tolist() == [5, 9]
    # Areas are counted at the size of the maps, where the object has 8 pixels.
    assert not label_objects(named(maps), postprocessing(method, min_area_px=9), (8, 12)).any()
    assert label_objects(named(np.zeros((2, 4, 6))), postprocessing(method), (8, 12)).shape == (8, 12)


FOREGROUND = [[0.0, 1, 1, 1, 1, 1, 1, 0]]


def test_boundary_pixels_go_to_the_interior_with_the_lower_way():
    maps = np.array([FOREGROUND, [[0, 0.1, 0.1, 0.6, 0.9, 0.2, 0.1, 0]]])
    settings = postprocessing("boundary_watershed", min_area_px=0)
    # Water reaches the 0.9 from the side of 0.2 first, before it has risen to 0.6 on the other side.
    assert label_objects(named(maps), settings).tolist() == [[0, 1, 1, 1, 2, 2, 2, 0]]


def test_small_interiors_go_to_their_neighbours_or_stay_an_object_without_one():
    maps = np.array([FOREGROUND, [[0, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1, 0]]])
    for least, expected in (
        (0, [0, 1, 2, 2, 2, 2, 2, 0]),
        (2, [0, 1, 1, 1, 1, 1, 1, 0]),
        (9, [0, 1, 1, 1, 1, 1, 1, 0]),
    ):
        found = label_objects(named(maps), postprocessing("boundary_watershed", min_seed_area_px=least, min_area_px=0))
        assert found[0, 3:].tolist() == expected[3:]
        assert found[0, 1] == 1


def test_the_boundary_threshold_itself_is_interior():
    maps = np.array([FOREGROUND, [[0, 0, 0, 0.25, 0.25, 0, 0, 0]]])
    for threshold, objects in ((0.25, 1), (0.2, 2)):
        settings = postprocessing("boundary_watershed", boundary_threshold=threshold, min_area_px=0)
        assert label_objects(named(maps), settings).max() == objects


def test_a_gap_in_a_boundary_does_not_merge_its_two_sides():
    # Two squares of 21 × 21 that touch; the network saw their boundary except for two rows in the middle.
    foreground = np.pad(np.ones((21, 42)), 1)
    boundary = np.zeros_like(foreground)
    boundary[1:11, 21:23] = boundary[13:22, 21:23] = 0.9
    maps = np.stack([foreground, boundary])
    found = label_objects(named(maps), postprocessing("boundary_watershed", min_area_px=0))
    assert np.unique(found[:, :21]).tolist() == [0, 1]
    assert np.unique(found[:, 23:]).tolist() == [0, 2]
    never = postprocessing("boundary_watershed", min_area_px=0, seed_depth=100)
    assert label_objects(named(maps), never).max() == 1


def test_a_neck_divides_by_distance_if_it_is_deep_enough():
    # Two squares of 7 × 7, 4 deep in the middle, and a neck 3 wide, 2 deep, between them.
    mask = np.zeros((9, 19))
    mask[1:8, 1:8] = mask[1:8, 11:18] = mask[3:6, 8:11] = 1
    for depth, objects in ((1.9, 2), (2.1, 1)):
        assert label_objects(named(mask), postprocessing("distance_watershed", seed_depth=depth)).max() == objects
    labels = label_objects(named(mask), postprocessing("distance_watershed", seed_depth=1.9))
    assert np.unique(labels[:, :8]).tolist() == [0, 1]
    assert np.unique(labels[:, 11:]).tolist() == [0, 2]


@st.composite
def cells(draw: st.DrawFn) -> np.ndarray:
    """Draw discs and rectangles that have grown by three pixels or until they touch."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    labels = np.zeros((70, 80), np.int32)
    rows, columns = np.indices(labels.shape)
    for number in range(1, draw(st.integers(2, 12)) + 1):
        y, x = rng.integers(8, 62), rng.integers(8, 72)
        height, width = rng.integers(4, 9, 2)
        if rng.random() < 0.5:
            shape = (rows - y) ** 2 + (columns - x) ** 2 <= height**2
        else:
            shape = (abs(rows - y) <= height) & (abs(columns - x) <= width)
        if not labels[shape].any():
            labels[shape] = number
    for _ in range(3):
        near = ndimage.maximum_filter(labels, footprint=ndimage.generate_binary_structure(2, 1))
        labels = np.where(labels > 0, labels, near)
    return labels


@settings(max_examples=40)
@given(cells(), st.integers(1, 4), st.booleans())
def test_touching_cells_come_back_from_their_targets(truth, width, as_classes):
    classes = boundary_classes(truth, width)
    interiors = [ndimage.label((truth == number) & (classes == 1))[1] for number in np.unique(truth[truth > 0])]
    assume(all(pieces == 1 for pieces in interiors))  # otherwise the target itself is divided differently
    if as_classes:
        maps = np.stack([classes > 0, classes == 2]).astype(np.float32)
    else:
        maps = foreground_and_boundary(truth, width)
    settings = postprocessing("boundary_watershed", min_area_px=0, fill_holes=False)
    found = label_objects(named(maps), settings)
    overlaps = label_overlaps(found, truth)
    assert len(overlaps.prediction_ids) == len(overlaps.truth_ids)
    best = np.zeros(len(overlaps.truth_ids))
    np.maximum.at(best, overlaps.truth_index, overlaps.iou)
    assert best.min() >= 0.8
    assert np.array_equal(label_objects(named(maps.astype(np.float64)), settings), found)
    _, first = np.unique(found, return_index=True)
    assert np.all(np.diff(first[found.ravel()[first] > 0]) > 0)


@settings(max_examples=20)
@given(cells(), st.sampled_from([2, 4]))
def test_targets_of_even_width_turn_with_the_image_and_do_not_depend_on_ids(truth, width):
    classes = boundary_classes(truth, width)
    for turn in (np.rot90, np.flipud, np.fliplr):
        assert np.array_equal(boundary_classes(turn(truth), width), turn(classes))
    renumbered = np.where(truth > 0, 70_000 - 3 * truth, 0)
    assert np.array_equal(boundary_classes(renumbered, width), classes)


@pytest.mark.parametrize("method", METHODS)
def test_settings_survive_a_round_trip_through_json(tmp_path, method):
    settings = postprocessing(method, seed_depth=3.5, threshold=0.35, min_area_px=40, fill_holes=False)
    settings.to_json(tmp_path / "postprocess.json")
    assert Postprocessing.from_json(tmp_path / "postprocess.json", whole=True) == settings


def test_a_setting_of_the_method_is_replaced_like_any_other():
    settings = postprocessing("distance_watershed")
    assert settings.with_setting("seed_depth", 3.0) == postprocessing("distance_watershed", seed_depth=3.0)
    assert settings.with_setting("min_area_px", 5) == postprocessing("distance_watershed", min_area_px=5)
    for name, message in (
        ("boundary_threshold", "boundary_threshold does not apply to the method distance_watershed"),
        ("method", "no setting 'method'"),
        ("seed_deptt", "did you mean 'seed_depth'"),
    ):
        with pytest.raises(ValueError, match=message):
            settings.with_setting(name, 0.5)


def test_a_method_defined_elsewhere_is_found_by_its_name(tmp_path):
    @dataclass(frozen=True)
    class Everything(Method, key="everything"):
        """The whole foreground is one object."""

        def divide(self, mask, maps):
            return mask.astype(np.int32)

    try:
        path = tmp_path / "postprocess.json"
        path.write_text('{"method": "everything", "min_area_px": 0}')
        found = label_objects(named([[0.9, 0.0, 0.9]]), Postprocessing.from_json(path))
        assert found.tolist() == [[1, 0, 1]]
    finally:
        del METHODS["everything"]


@pytest.mark.parametrize(("missing", "method"), [("seed_depth", "distance_watershed"), ("threshold", "components")])
def test_a_file_that_must_be_complete_is_refused_with_what_it_lacks(tmp_path, missing, method):
    values = postprocessing(method).to_mapping()
    del values[missing]
    (tmp_path / "postprocess.json").write_text(json.dumps(values))
    with pytest.raises(BundleError, match=f"missing settings: {missing}; add these settings"):
        Postprocessing.from_json(tmp_path / "postprocess.json", whole=True)
    assert Postprocessing.from_json(tmp_path / "postprocess.json") == postprocessing(method)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"treshold": 0.5}', "did you mean 'threshold'?"),
        ('{"threshold": 1}', "expected a number of at least 0 and below 1"),
        ('{"threshold": "0.5"}', "a number of at least 0"),
        ('{"min_area_px": 2.5}', "non-negative whole number of pixels"),
        ('{"fill_holes": "yes"}', "true or false"),
        ('{"method": "watershed"}', "expected one of boundary_watershed, components, distance_map_watershed"),
        ('{"method": ["components"]}', "got method=['components']"),
        ('{"method": "boundary_watershed", "boundary_threshold": 1.5}', "got boundary_threshold=1.5"),
        ('{"method": "boundary_watershed", "min_seed_area_px": -1}', "got min_seed_area_px=-1"),
        ('{"method": "distance_watershed", "seed_depth": -0.5}', "0 divides at every neck"),
        ('{"method": "distance_map_watershed", "seed_depth": NaN}', "a number of at least 0"),
        ('{"method": "distance_watershed", "boundary_threshold": 0.5}', "does not apply to the method distance_wat"),
        (
            f'{{"method": "distance_watershed", "seed_depth": 1{"0" * 400}}}',
            "got seed_depth=inf, expected a number",
        ),
        ('{"method": "distance_watershed", "seed_depth": 1e999}', "a number of at least 0"),
        ('{"seed_depth": 1.0}', "seed_depth does not apply to the method components; remove it"),
    ],
)
def test_a_file_with_unknown_or_invalid_settings_is_refused(tmp_path, text, message):
    path = tmp_path / "postprocess.json"
    path.write_text(text)
    with pytest.raises(BundleError) as caught:
        Postprocessing.from_json(path)
    assert message in str(caught.value)
