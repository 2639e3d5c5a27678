"""Objects made block by block are those of the whole image, ids included, whatever the blocks."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from cellseg_monai import io
from cellseg_monai.decoding import METHODS, Postprocessing, label_in_blocks, label_objects, packing
from cellseg_monai.decoding.blockwise import seams
from cellseg_monai.decoding.blockwise.grid import BlockEdges, Blocks, groups_across
from cellseg_monai.labels import foreground_and_boundary
from tests.decoding.named_maps import method_of, named, postprocessing

EVERYTHING = Postprocessing(min_area_px=0, fill_holes=False)
FILLED = Postprocessing(min_area_px=0)


def labelled(maps, settings, block_px, shape=None, dtype=np.uint32):
    maps = named(maps)
    out = np.full(maps["foreground"].shape if shape is None else shape, 99, dtype)  # earlier content must not matter
    count = label_in_blocks(maps, settings, out, block_px=block_px)
    assert count == out.max(initial=0)
    return out


SIZES = pytest.mark.parametrize("block_px", [1, 2, 3, 4, 50])


@SIZES
def test_ids_follow_the_first_pixels_of_the_image_not_those_of_the_blocks(block_px):
    foreground = [
        [0, 0, 0, 0, 1, 0],
        [1, 0, 1, 1, 1, 0],
        [1, 0, 0, 0, 0, 0],
        [0, 0, 1, 0, 1, 1],
        [1, 1, 0, 0, 0, 1],
    ]
    assert labelled([foreground], EVERYTHING, block_px).tolist() == [
        [0, 0, 0, 0, 1, 0],
        [2, 0, 1, 1, 1, 0],
        [2, 0, 0, 0, 0, 0],
        [0, 0, 3, 0, 4, 4],
        [5, 5, 0, 0, 0, 4],
    ]
    # The areas are 4, 2, 1, 3 and 2; those from 3 on stay.
    assert labelled([foreground], replace(EVERYTHING, min_area_px=3), block_px).tolist() == [
        [0, 0, 0, 0, 1, 0],
        [0, 0, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 2, 2],
        [0, 0, 0, 0, 0, 2],
    ]


@SIZES
def test_holes_larger_than_a_block_are_filled_but_bays_are_not(block_px):
    foreground = [
        [1, 1, 1, 1, 1, 0, 1, 1, 1],
        [1, 0, 0, 0, 1, 0, 1, 0, 0],
        [1, 0, 0, 0, 1, 0, 1, 0, 1],
        [1, 0, 0, 0, 1, 0, 1, 0, 1],
        [1, 1, 1, 1, 1, 0, 1, 1, 1],
    ]
    assert labelled([foreground], FILLED, block_px).tolist() == [
        [1, 1, 1, 1, 1, 0, 2, 2, 2],
        [1, 1, 1, 1, 1, 0, 2, 0, 0],
        [1, 1, 1, 1, 1, 0, 2, 0, 2],
        [1, 1, 1, 1, 1, 0, 2, 0, 2],
        [1, 1, 1, 1, 1, 0, 2, 2, 2],
    ]
    assert np.array_equal(labelled([foreground], EVERYTHING, block_px) > 0, np.array(foreground) > 0)


@SIZES
def test_components_that_touch_by_corners_enclose_a_hole_which_joins_them(block_px):
    foreground = [
        [0, 1, 1, 1, 0],
        [1, 0, 0, 0, 1],
        [1, 0, 0, 0, 1],
        [0, 1, 1, 1, 0],
    ]
    assert labelled([foreground], FILLED, block_px).tolist() == [
        [0, 1, 1, 1, 0],
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1],
        [0, 1, 1, 1, 0],
    ]
    assert labelled([foreground], EVERYTHING, block_px).tolist() == [
        [0, 1, 1, 1, 0],
        [2, 0, 0, 0, 3],
        [2, 0, 0, 0, 3],
        [0, 4, 4, 4, 0],
    ]


@SIZES
def test_a_seam_divides_only_where_a_boundary_does(block_px):
    maps = [[[0, 1, 1, 1, 1, 1, 1, 0]], [[0, 0.1, 0.1, 0.6, 0.9, 0.2, 0.1, 0]]]
    for least, expected in ((0, [0, 1, 1, 1, 2, 2, 2, 0]), (3, [0, 1, 1, 1, 1, 1, 1, 0])):
        chosen = postprocessing("boundary_watershed", min_seed_area_px=least, min_area_px=0)
        assert labelled(maps, chosen, block_px).tolist() == [expected]


def test_peaks_next_to_a_seam_do_not_depend_on_other_components_beyond_it():
    foreground = [
        [1, 1, 0, 1, 1, 1, 1, 1],
        [1, 0, 1, 1, 0, 1, 0, 1],
        [0, 1, 1, 1, 0, 0, 0, 1],
        [1, 1, 0, 0, 0, 1, 0, 1],
        [0, 0, 0, 1, 0, 1, 0, 1],
        [1, 0, 1, 1, 1, 1, 0, 1],
    ]
    boundary = np.zeros((6, 8))
    boundary[[0, 2, 4, 4, 5], [7, 7, 5, 7, 5]] = 1
    chosen = replace(EVERYTHING, method=method_of("boundary_watershed", seed_depth=0.0))
    maps = np.array([foreground, boundary])
    assert np.array_equal(labelled(maps, chosen, 7), label_objects(named(maps), chosen))


@st.composite
def maps(draw: st.DrawFn) -> np.ndarray:
    """Draw noise, smooth blobs with holes, a few levels (many ties), or almost nothing but foreground."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = draw(st.tuples(st.integers(1, 50), st.integers(1, 50)))
    noise = rng.random((2, *shape))
    kind = draw(st.sampled_from(["noise", "smooth", "levels", "full"]))
    if kind == "smooth":
        noise = ndimage.uniform_filter(noise, (0, 5, 5))
        noise = (noise - noise.min()) / (np.ptp(noise) + 1e-9)
    elif kind == "levels":
        noise = np.round(ndimage.zoom(noise, (1, 3, 3), order=1)[:, : shape[0], : shape[1]] * 4).clip(0, 4) / 4
    elif kind == "full":
        noise[0] = noise[0] ** 0.05
    return noise.astype(draw(st.sampled_from([np.float16, np.float32, np.float64])))


CHOICES = st.builds(
    postprocessing,
    method=st.sampled_from(sorted(METHODS)),
    threshold=st.sampled_from([0.2, 0.5, 0.7]),
    boundary_threshold=st.sampled_from([0.2, 0.5, 0.8]),
    min_seed_area_px=st.sampled_from([0, 4]),
    seed_depth=st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0]),
    min_area_px=st.sampled_from([0, 1, 6]),
    fill_holes=st.booleans(),
)


@settings(max_examples=150)
@given(maps(), CHOICES, st.sampled_from([4, 5, 9, 16, 33, 64]), st.sampled_from([1, 200, 2**20]))
def test_blocks_make_no_difference(maps, chosen, block_px, box_pixels):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seams, "_BOX_PIXELS", box_pixels)
        patch.setattr(packing, "_BATCH_PIXELS", box_pixels)
        patch.setattr(packing, "_ALONE_PIXELS", box_pixels)
        found = labelled(maps, chosen, block_px)
    assert np.array_equal(found, label_objects(named(maps), chosen))


@settings(max_examples=25)
@given(maps(), CHOICES, st.integers(1, 3))
def test_the_smallest_blocks_make_no_difference(maps, chosen, block_px):
    maps = maps[:, :12, :14]
    assert np.array_equal(labelled(maps, chosen, block_px), label_objects(named(maps), chosen))


@settings(max_examples=40)
@given(maps(), CHOICES, st.tuples(st.integers(1, 90), st.integers(1, 90)), st.sampled_from([7, 30]))
def test_objects_have_the_size_of_the_image(maps, chosen, shape, block_px):
    assert np.array_equal(labelled(maps, chosen, block_px, shape), label_objects(named(maps), chosen, shape))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1), (5, 7)], ids=str)
def test_images_of_nothing_but_background_or_foreground(method, shape):
    chosen = postprocessing(method, min_area_px=0)
    for value, block_px in product((0, 1), (2, 64)):
        found = labelled(np.full((2, *shape), value), chosen, block_px)
        assert found.tolist() == np.full(shape, value).tolist()
    assert labelled(np.ones((2, *shape)), chosen, 2, (4, 6)).tolist() == np.full((4, 6), min(shape) > 0).tolist()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("name", "pattern"), [("bbbc039", "labels/*"), ("dsb2018_stage1_train", "labels/*")])
def test_real_cells_are_the_same_in_blocks(real_data, name, pattern, method):
    paths = sorted(real_data(name).glob(pattern))
    rng = np.random.default_rng(0)
    for path in (paths[0], paths[len(paths) // 2]):
        truth = np.tile(io.read_labels(path), (2, 2))[:600, :700]
        probabilities = ndimage.uniform_filter(foreground_and_boundary(truth, 2), (0, 3, 3))
        noisy = (probabilities + rng.normal(0, 0.05, probabilities.shape)).clip(0, 1).astype(np.float32)
        chosen = postprocessing(method, boundary_threshold=0.3)
        whole = label_objects(named(noisy), chosen)
        assert whole.max() > 3
        for block_px in (100, 257):
            out = np.zeros(whole.shape, np.uint32)
            assert label_in_blocks(named(noisy), chosen, out, block_px=block_px) == whole.max()
            assert np.array_equal(out, whole)


def test_more_objects_than_16_bits_hold():
    maps = np.zeros((1, 520, 520), np.float32)
    maps[0, ::2, ::2] = 1
    out = np.zeros(maps.shape[1:], np.uint32)
    assert label_in_blocks(named(maps), EVERYTHING, out, block_px=200) == 67_600
    assert np.array_equal(out, label_objects(named(maps), EVERYTHING))
    with pytest.raises(ValueError, match=r"67600 objects, counting small .*uint16 holds ids only up to 65535"):
        label_in_blocks(named(maps), EVERYTHING, np.zeros(maps.shape[1:], np.uint16), block_px=200)
    with pytest.raises(ValueError, match=r"67600 objects, counting small .*int16 holds ids only up to 32767"):
        label_in_blocks(named(maps), EVERYTHING, np.zeros((1040, 1040), np.int16), block_px=200)


@pytest.mark.parametrize("dtype", ["u1", "i4", "i8", "u8", ">u4"])
@pytest.mark.parametrize("method", METHODS)
def test_any_integer_dtype_that_is_wide_enough(dtype, method):
    maps = ndimage.uniform_filter(np.random.default_rng(1).random((2, 40, 30)), (0, 5, 5))
    chosen = postprocessing(method, min_area_px=3, boundary_threshold=0.45)
    found = labelled(maps, chosen, 16, dtype=dtype)
    assert found.max() > 3
    assert np.array_equal(found, label_objects(named(maps), chosen))


def test_unsuitable_maps_and_arrays_are_refused():
    out = np.zeros((4, 4), np.uint32)
    for maps, message in (
        ({"foreground": np.zeros((1, 4, 4)), "boundary": out}, r"map foreground of shape \(1, 4, 4\)"),
        (named(np.zeros((1, 4, 4))), r"the map boundary is missing \(got foreground\)"),
        (named(np.full((2, 4, 4), 3.0)), "apply a sigmoid first"),
        (named(np.stack([np.zeros((4, 4)), np.full((4, 4), np.nan)])), "values from nan to nan"),
    ):
        with pytest.raises(ValueError, match=message):
            label_in_blocks(maps, postprocessing("boundary_watershed"), out, block_px=2)
    for labels in (np.zeros((4, 4)), np.zeros((1, 4, 4), np.uint32)):
        for wrong in ({"out": labels}, {"out": out, "scratch": labels}):
            with pytest.raises(ValueError, match=r"expected integers with axes \(Y, X\)"):
                label_in_blocks(named(np.zeros((1, 4, 4))), EVERYTHING, **wrong)
    with pytest.raises(ValueError, match=r"scratch of shape \(4, 4\), expected \(2, 2\), the shape of the maps"):
        label_in_blocks(named(np.zeros((1, 2, 2))), EVERYTHING, out, scratch=out)
    with pytest.raises(ValueError, match="got block_px=0"):
        label_in_blocks(named(np.zeros((1, 4, 4))), EVERYTHING, out, block_px=0)


@dataclass
class Mapped:
    """An array in a file that is pickled as its path and remembers the largest part read."""

    path: Path
    largest = 0

    @property
    def _array(self):
        return np.load(self.path, mmap_mode="r+")

    shape = property(lambda self: self._array.shape)
    dtype = property(lambda self: self._array.dtype)

    def __getitem__(self, place):
        part = np.array(self._array[place])
        Mapped.largest = max(Mapped.largest, part.size)
        return part

    def __setitem__(self, place, values):
        self._array[place] = values


def in_another_process(function, *arguments):
    """Call like `map`, with everything pickled on the way, as for another process."""
    for given_ in zip(*arguments, strict=True):
        there, what = pickle.loads(pickle.dumps((function, given_)))
        yield pickle.loads(pickle.dumps(there(*what)))


def repeated(function, *arguments):
    """Call everything twice, like a cluster that lost its first results."""
    calls = list(zip(*arguments, strict=True))
    for call in reversed(calls):
        function(*call)
    return [function(*call) for call in calls]


@pytest.mark.parametrize("shape", [(90, 110), (60, 77)], ids=["size of the maps", "another size"])
@pytest.mark.parametrize("method", METHODS)
def test_arrays_in_files_are_processed_in_parts_by_threads_and_processes(tmp_path, monkeypatch, method, shape):
    monkeypatch.setattr(seams, "_BOX_PIXELS", 900)
    maps = ndimage.uniform_filter(np.random.default_rng(3).random((2, 90, 110)), (0, 5, 5)).astype(np.float32)
    chosen = postprocessing(method, threshold=0.55, min_area_px=3, boundary_threshold=0.45)
    whole = label_objects(named(maps), chosen, shape)
    for name, values in zip(("foreground", "other"), maps, strict=True):
        np.save(tmp_path / f"{name}.npy", values)
    np.save(tmp_path / "out.npy", np.zeros(shape, np.uint32))
    np.save(tmp_path / "scratch.npy", np.zeros((90, 110), np.uint32))
    foreground, other, out, scratch = (
        Mapped(tmp_path / f"{name}.npy") for name in ("foreground", "other", "out", "scratch")
    )
    on_disk = {"foreground": foreground, "boundary": other, "distance": other}
    Mapped.largest = 0
    with ThreadPoolExecutor(2) as pool:
        for run in (in_another_process, repeated, pool.map):
            out[:] = 0
            label_in_blocks(on_disk, chosen, out, block_px=30, scratch=scratch, run=run)
            assert Mapped.largest <= 2 * 30 * 30
            assert np.array_equal(out[:], whole)
            Mapped.largest = 0


def test_components_are_joined_where_their_pixels_share_an_edge():
    corner = BlockEdges.of_block(np.array([[0, 0], [0, 1]]), np.array([1]))
    across = BlockEdges.of_block(np.array([[1, 0], [0, 0]]), np.array([1]))
    nothing = BlockEdges.of_block(np.zeros((2, 2), int), np.array([], int))
    groups = groups_across(Blocks((4, 4), (2, 2)), [corner, nothing, nothing, across])
    assert [group.tolist() for group in groups] == [[0], [], [], [1]]
    beside = BlockEdges.of_block(np.array([[0, 0], [5, 0]]), np.array([5]))
    below = BlockEdges.of_block(np.array([[0, 2], [0, 0]]), np.array([2]))
    groups = groups_across(Blocks((4, 4), (2, 2)), [corner, beside, below, across])
    assert [group.tolist() for group in groups] == [[0], [0], [0], [0]]
