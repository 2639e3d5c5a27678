"""`cellseg_monai.segment` gives the results of the command."""

import numpy as np
import pytest
import tifffile

import cellseg_monai
from cellseg_monai import cli, exports, io
from cellseg_monai.bundle import load_pipeline
from tests.cells import cells
from tests.scouted_bundles import scouted_bundles


@pytest.fixture(scope="module")
def pipeline():
    return load_pipeline("nuclei")


def test_file_image_and_array_give_the_labels_of_the_command(tmp_path, pipeline, monkeypatch):
    np.save(tmp_path / "a.npy", cells())
    monkeypatch.setattr("sys.argv", ["cellseg", "segment", str(tmp_path / "a.npy"), "--output", str(tmp_path / "out")])
    cli.main()
    expected = io.read_labels(tmp_path / "out" / "a.tif")
    assert expected.any()
    for image in (tmp_path / "a.npy", str(tmp_path / "a.npy"), cells(), io.Image(cells()[np.newaxis], "CYX")):
        result = cellseg_monai.segment(image, pipeline)
        np.testing.assert_array_equal(result.labels, expected)
        assert result.table["id"].tolist() == np.unique(expected[expected > 0]).tolist()
    assert cellseg_monai.segment(tmp_path / "a.npy", "nuclei", device="cpu").image_name == "a.npy"


def test_a_stack_has_its_axes_and_one_table(tmp_path):
    pipeline = load_pipeline("nuclei", diameter="none")  # of which planes that look alike would share the scale
    planes = np.stack([cells(seed) for seed in range(4)]).reshape(2, 2, 96, 96)
    stack = cellseg_monai.segment(planes, pipeline, axes="TZYX", pixel_size=0.5)
    assert (stack.axes, stack.labels.shape, stack.pixel_size_um) == ("TZYX", (2, 2, 96, 96), (0.5, 0.5))
    for t, z in np.ndindex(2, 2):
        alone = cellseg_monai.segment(planes[t, z], pipeline, pixel_size=(0.5, 0.5))
        np.testing.assert_array_equal(stack.labels[t, z], alone.labels)
        part = stack.table.at({"t": t, "z": z})
        assert list(part.columns) == list(alone.table.columns)
        for name, column in alone.table.columns.items():
            np.testing.assert_array_equal(part[name], column)
    (path,) = exports.write_exports(tmp_path, stack, "labels")["labels"]
    assert io.read(path).axes == "TZCYX"
    assert len(exports.write_exports(tmp_path, stack, "overlay")["overlay"]) == 4


def test_axes_and_names_distinguish_colours_and_channels(pipeline):
    colour = np.stack([cells()] * 3, axis=-1)
    np.testing.assert_array_equal(
        cellseg_monai.segment(colour, pipeline, axes="YXS").labels, cellseg_monai.segment(cells(), pipeline).labels
    )
    stains = np.stack([np.zeros_like(cells()), cells()])
    names = {"axes": "CYX", "channel_names": ("actin", "DAPI")}
    result = cellseg_monai.segment(stains, "nuclei", channels="DAPI", **names)
    np.testing.assert_array_equal(result.labels, cellseg_monai.segment(cells(), pipeline).labels)
    assert "mean_actin" in result.table.columns
    with pytest.raises(ValueError, match=r"an image with 2 channels .*'actin', 1 'DAPI'"):
        cellseg_monai.segment(stains, pipeline, **names)


@pytest.mark.parametrize(
    ("image", "keywords", "says"),
    [
        (np.zeros((7, 20, 30)), {}, "got an array of shape 7 × 20 × 30 without axes; pass axes='ZYX'"),
        (np.zeros((20, 30, 3)), {}, "'YXS' for colours"),
        (np.zeros(7), {}, "pass axes="),
        (np.zeros((7, 20)), {"axes": "ZYX"}, "axes='ZYX' for an array of shape 7 × 20"),
        (np.zeros((0, 20)), {}, "empty"),
        (np.full((9, 9), np.nan), {}, "NaN"),
        (np.array([["a"]]), {}, "pixels of type <U1"),
        (cells(), {"pixel_size": 0}, "got pixel_size=0.0, expected a finite number above 0"),
        (cells(), {"channel_names": ("a", "b")}, r"channel names \(2\) differs from the number of channels \(1\)"),
        (
            io.Image(cells()[np.newaxis], "CYX"),
            {"axes": "YX"},
            "got axes='YX' for an Image, which already states its axes",
        ),
        (cells(), {"tta": True}, "got tta together with a pipeline"),
    ],
    ids=["stack", "colour", "a row", "other axes", "empty", "NaN", "text", "size", "names", "Image", "settings"],
)
def test_impossible_images_and_options_are_refused_with_a_remedy(pipeline, image, keywords, says):
    with pytest.raises(ValueError, match=says):
        cellseg_monai.segment(image, pipeline, **keywords)


def test_a_missing_file_and_a_misspelt_setting_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.tif"):
        cellseg_monai.segment(tmp_path / "nowhere.tif")
    with pytest.raises(TypeError, match="tiles"):
        cellseg_monai.segment(cells(), tiles=3)


def test_files_that_do_not_state_their_axes_take_them(tmp_path, pipeline):
    tifffile.imwrite(tmp_path / "s.tif", np.stack([cells(), cells(1)]), photometric="minisblack", metadata=None)
    with pytest.raises(ValueError, match="pass axes='ZYX'"):
        cellseg_monai.segment(tmp_path / "s.tif", pipeline)
    assert cellseg_monai.segment(tmp_path / "s.tif", pipeline, axes="ZYX").labels.shape == (2, 96, 96)


def constant(pixel: float | None = None, dtype: type = np.uint16, shape: tuple[int, int] = (128, 128)) -> np.ndarray:
    """A constant image, except for one pixel."""
    image = np.full(shape, 100, dtype)
    if pixel is not None:
        image[shape[0] // 2, shape[1] // 2] = pixel
    return image


def noise(shape: tuple[int, int], dtype: type = np.uint16) -> np.ndarray:
    return np.random.default_rng(0).normal(1000, 30, shape).astype(dtype)


@pytest.mark.parametrize(
    "image",
    [
        constant(),
        constant(0),
        constant(99, np.uint8),
        constant(101, np.float32),
        constant(90, np.int32),
        constant(0, shape=(30, 30)),
        np.full((64, 64), 65535, np.uint16),
        noise((1, 2000)),
        noise((2, 2000), np.float32),
        noise((2000, 1)),
        noise((2000, 2), np.float64),
        noise((200, 200)),
    ],
    ids=lambda image: f"{image.dtype} {image.shape}",
)
def test_nothing_is_found_where_there_is_nothing(pipeline, image):
    result = cellseg_monai.segment(image, pipeline)
    assert "low contrast" in [flag.kind for flag in result.flags]
    assert len(result.table) == 0


@pytest.mark.parametrize(
    ("image", "kind"),
    [
        (np.random.default_rng(0).poisson(0.01, (128, 128)).astype(np.uint8), "mask"),
        (np.random.default_rng(0).random((128, 128)) < 0.5, "mask"),
        (np.kron(noise((32, 32)), np.ones((4, 4), np.uint16)), "object size"),
    ],
    ids=["rare photons", "random bits", "interpolated noise"],
)
def test_objects_in_images_of_another_kind_are_flagged(pipeline, image, kind):
    result = cellseg_monai.segment(image, pipeline)
    assert kind in [flag.kind for flag in result.flags]
    assert set(result.table["flags"]) <= {"; ".join(flag.kind for flag in result.flags)}


def test_a_negative_is_turned_into_a_positive(pipeline):
    positive, negative = (cellseg_monai.segment(image, pipeline) for image in (cells(), 4000 - cells()))
    assert negative.choice["invert"]
    assert not positive.choice["invert"]
    assert len(negative.table) == len(positive.table) > 0


def test_flags_of_a_stack_name_their_plane(pipeline):
    stack = cellseg_monai.segment(np.stack([cells(), constant(shape=(96, 96))]), pipeline, axes="ZYX")
    assert {flag.plane for flag in stack.flags if flag.kind == "no objects"} == {"Z1"}


def test_a_size_that_is_not_understood_is_logged(pipeline, tmp_path, caplog):
    tifffile.imwrite(tmp_path / "a.tif", cells(), imagej=True, resolution=(2, 2), metadata={"unit": "furlong"})
    cellseg_monai.segment(tmp_path / "a.tif", pipeline)
    assert "a.tif: it states a pixel size of 0.5 'furlong'" in caplog.text
    caplog.clear()
    assert cellseg_monai.segment(tmp_path / "a.tif", pipeline, pixel_size=0.5).pixel_size_um == (0.5, 0.5)
    assert caplog.text == ""


def test_a_scout_chooses_for_each_plane_and_strict_refuses_an_image_of_no_kind(tmp_path, monkeypatch):
    scouted_bundles(tmp_path, monkeypatch)
    bright = 60_000 - cells(1)  # shows none of the kinds, for this scout
    stack = cellseg_monai.segment(np.stack([cells(), bright, cells()]), "auto", axes="ZYX", device="cpu")
    assert [(flag.kind, flag.plane) for flag in stack.flags if flag.severity == "serious"] == [("unknown kind", "Z1")]
    with pytest.raises(ValueError, match="refused because of --strict: unknown kind"):
        cellseg_monai.segment(bright, "auto", device="cpu", strict=True)
