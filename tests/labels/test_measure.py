"""Measurements compared with those of scikit-image, for every block size."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import regionprops_table

from cellseg_monai import io
from cellseg_monai.labels import ObjectTable, measure_objects, relabel_sequential
from tests.label_images import SHAPES, Stored, label_images, many_discs

# Our columns, with those of scikit-image.
SAME = {
    "id": "label",
    "area_px": "area",
    "centroid_y_px": "centroid-0",
    "centroid_x_px": "centroid-1",
    "top_px": "bbox-0",
    "left_px": "bbox-1",
    "bottom_px": "bbox-2",
    "right_px": "bbox-3",
    "equivalent_diameter_px": "equivalent_diameter_area",
    "perimeter_px": "perimeter",
    "eccentricity": "eccentricity",
    "solidity": "solidity",
}
SAME_OF_A = {"mean_A": "intensity_mean-0", "min_A": "intensity_min-0", "max_A": "intensity_max-0"}
PROPERTIES = list(dict.fromkeys(name.split("-")[0] for name in (SAME | SAME_OF_A).values()))


def assert_as_scikit_image(labels: np.ndarray, table: ObjectTable, image: np.ndarray) -> None:
    expected = regionprops_table(labels, image.transpose(1, 2, 0), properties=PROPERTIES)
    for ours, theirs in (SAME | SAME_OF_A).items():
        # The eccentricity is the root of a difference of nearly equal numbers: an error of 1e-16 becomes 1e-8.
        tolerance = 1e-7 if ours == "eccentricity" else 1e-12
        np.testing.assert_allclose(table[ours], expected[theirs], rtol=1e-12, atol=tolerance, err_msg=ours)


def noise(shape: tuple[int, ...], channels: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2**16, (channels, *shape)).astype(np.uint16)


@settings(max_examples=200)
@given(label_images(), st.integers(1, 300))
def test_measurements_match_scikit_image_for_every_block_size(labels, block_px):
    image = noise(labels.shape)
    maps = {"foreground": image[1] / 2**16, "views": image[0], "class/round": image[1]}
    table = measure_objects(labels, image, channel_names=["A", "B"], block_px=block_px, maps=maps)
    if not len(table):
        assert not labels.any()
        return
    assert table["id"].tolist() == np.unique(labels[labels > 0]).tolist()
    # scikit-image needs a table as long as the largest id.
    numbered = ObjectTable({**table.columns, "id": np.arange(1, len(table) + 1)})
    assert_as_scikit_image(relabel_sequential(labels), numbered, image)
    np.testing.assert_allclose(table["score"], table["mean_B"] / 2**16)
    np.testing.assert_allclose(table["agreement"], table["mean_A"])
    np.testing.assert_allclose(table["mean_class_round"], table["mean_B"])


@given(st.lists(st.sampled_from(["", "a", "a_0", "a_2", "a_0_0", "channel_0", "channel_1"]), min_size=1, max_size=6))
def test_no_channel_is_lost_whatever_the_names_are(names):
    image = np.arange(len(names)).reshape(-1, 1, 1) + np.zeros((1, 2, 2), np.int64)
    table = measure_objects(np.ones((2, 2), int), image, channel_names=names)
    assert [table[f"mean_{name}"].item() for name in table.channels] == list(range(len(names)))
    if "" not in names:
        pairs = zip(table.channels, names, strict=True)
        assert all(ours == name for ours, name in pairs if names.count(name) == 1)


@pytest.mark.parametrize("block_px", [30, 2**24])
def test_holes_pieces_and_touching_objects_are_measured(block_px):
    image = noise(SHAPES.shape)
    table = measure_objects(SHAPES, image, channel_names=["A", "B"], block_px=block_px)
    assert_as_scikit_image(SHAPES, table, image)
    assert table["id"][table["touches_edge"]].tolist() == [3, 5, 6, 7, 8]


@pytest.mark.parametrize("name", ["bbbc039", "dsb2018_stage1_train"])
def test_measurements_of_real_cells_match_scikit_image(real_data, name):
    paths: list[Path] = sorted((real_data(name) / "labels").iterdir())[:4]
    for path in paths:
        labels = io.read_labels(path)
        image = noise(labels.shape)
        assert_as_scikit_image(labels, measure_objects(labels, image, channel_names=["A", "B"]), image)


def test_the_block_size_does_not_change_any_digit():
    labels, image = many_discs(400), noise((260, 260)).astype(np.float32) / 7
    whole = measure_objects(labels, image, maps={"foreground": image[0]})
    for block_px, threads in ((500, 1), (3_000, 4), (40_000, 1)):
        stored = Stored(labels, chunks=(32, 32))
        with ThreadPoolExecutor(threads) as pool:
            run = pool.map if threads > 1 else map
            maps = {"foreground": Stored(image[0])}
            table = measure_objects(stored, Stored(image), maps=maps, block_px=block_px, run=run)
        assert stored.largest <= max(block_px, 32 * 32)
        for name, column in whole.columns.items():
            assert table[name].dtype == column.dtype
            assert np.array_equal(table[name], column), name


class TestPixelSize:
    def test_lengths_and_areas_are_also_in_micrometres(self):
        table = measure_objects(SHAPES, pixel_size_um=(0.5, 0.5))
        np.testing.assert_allclose(table["area_um2"], table["area_px"] / 4)
        for name in ("centroid_y", "centroid_x", "equivalent_diameter", "perimeter"):
            np.testing.assert_allclose(table[f"{name}_um"], table[f"{name}_px"] / 2)

    def test_measurements_of_non_square_pixels_match_scikit_image(self):
        table = measure_objects(SHAPES, pixel_size_um=(0.5, 0.25))
        properties = ("area", "centroid", "eccentricity", "equivalent_diameter_area")
        expected = regionprops_table(SHAPES, properties=properties, spacing=(0.5, 0.25))
        np.testing.assert_allclose(table["area_um2"], expected["area"])
        np.testing.assert_allclose(table["centroid_y_um"], expected["centroid-0"])
        np.testing.assert_allclose(table["centroid_x_um"], expected["centroid-1"])
        np.testing.assert_allclose(table["equivalent_diameter_um"], expected["equivalent_diameter_area"])
        np.testing.assert_allclose(table["eccentricity"], expected["eccentricity"], atol=1e-7)
        assert np.isnan(table["perimeter_um"]).all()  # scikit-image refuses to measure it

    @pytest.mark.parametrize("size", [(0, 1), (1, -1), (float("nan"), 1)])
    def test_an_impossible_pixel_size_is_refused(self, size):
        with pytest.raises(ValueError, match="two positive lengths"):
            measure_objects(SHAPES, pixel_size_um=size)


class TestChannels:
    def test_channels_without_names_or_with_equal_names_get_distinct_names(self):
        image = noise(SHAPES.shape, 4)
        assert measure_objects(SHAPES, image, channel_names=["", "DAPI", "ER", "DAPI"]).channels == (
            "channel_0",
            "DAPI_1",
            "ER",
            "DAPI_3",
        )
        assert measure_objects(SHAPES, image).channels == ("channel_0", "channel_1", "channel_2", "channel_3")

    @pytest.mark.parametrize(
        ("image", "names"),
        [(np.zeros((1, 2, 2)), ()), (np.zeros(SHAPES.shape), ()), (np.zeros((2, *SHAPES.shape)), ("A",))],
        ids=["another size", "no channels", "too few names"],
    )
    def test_an_image_that_does_not_fit_is_refused(self, image, names):
        with pytest.raises(ValueError, match=r"expected an image \(C, Y, X\) with the Y and X"):
            measure_objects(SHAPES, image, channel_names=names)

    @pytest.mark.parametrize("name", ["foreground", "views", "boundary"])
    def test_maps_of_another_size_are_refused(self, name):
        with pytest.raises(ValueError, match=f"got the map {name} of shape .* to the pixels of the image"):
            measure_objects(SHAPES, maps={name: np.zeros((2, *SHAPES.shape))})

    def test_a_map_and_a_channel_of_one_name_are_refused(self):
        with pytest.raises(ValueError, match="a map and a channel that share the name boundary"):
            measure_objects(
                SHAPES, noise(SHAPES.shape, 1), channel_names=["boundary"], maps={"boundary": np.zeros(SHAPES.shape)}
            )

    def test_two_maps_of_one_column_are_refused(self):
        maps = dict.fromkeys(("class/round", "class_round"), np.zeros(SHAPES.shape))
        with pytest.raises(ValueError, match="class/round, class_round, two of which would share a column"):
            measure_objects(SHAPES, maps=maps)


@pytest.mark.parametrize("dtype", ["u1", "u4", "i8"])
def test_no_objects_give_the_same_columns_without_rows(dtype):
    image, shapes = noise(SHAPES.shape), SHAPES.astype(dtype)
    full = measure_objects(shapes, image, pixel_size_um=(1, 1), maps={"foreground": image[0]})
    empty = measure_objects(np.zeros_like(shapes), image, pixel_size_um=(1, 1), maps={"foreground": image[0]})
    assert len(empty) == 0
    assert {name: column.dtype for name, column in empty.columns.items()} == {
        name: column.dtype for name, column in full.columns.items()
    }


def test_an_added_column_must_have_one_value_per_object():
    table = measure_objects(SHAPES)
    assert table.with_columns(agreement=np.linspace(0, 1, len(table)))["agreement"][-1] == 1
    with pytest.raises(ValueError, match="expected equal lengths"):
        table.with_columns(agreement=np.zeros(2))


def test_seventy_thousand_objects_are_measured():
    table = measure_objects(many_discs())
    assert table["id"].tolist() == list(range(1, 70_001))
    assert np.all(table["area_px"] == table["area_px"][0])


def test_the_class_is_the_one_with_the_highest_mean_probability():
    labels = np.array([[3, 3, 3, 8, 0]])
    first = np.array([[0.9, 0.2, 0.2, 0.5, 1.0]])  # the mean over object 3 is 1.3 / 3
    table = measure_objects(labels, maps={"class/round": first, "class/long": 1 - first})
    assert table["class"].tolist() == ["long", "round"]  # the first of equals
    assert table["class_probability"] == pytest.approx([1.7 / 3, 0.5])
    assert table.classes == ("round", "long")


def test_a_single_class_leaves_nothing_to_choose():
    table = measure_objects(np.array([[1]]), maps={"class/round": np.array([[0.5]])})
    assert "class" not in table.columns
    assert table.classes == ()
