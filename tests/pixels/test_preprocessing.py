import json
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from cellseg_monai import io
from cellseg_monai.errors import BundleError
from cellseg_monai.pixels import Preprocessing, prepare


def test_settings_written_as_json_are_read_back(tmp_path):
    settings = Preprocessing(channels=["DAPI", 2], lower_percentile=1, clip=False, pixel_size_um=0.5)
    settings.to_json(tmp_path / "preprocess.json")
    assert Preprocessing.from_json(tmp_path / "preprocess.json") == settings
    assert [file.name for file in tmp_path.iterdir()] == ["preprocess.json"]


def test_a_missing_file_asks_for_the_bundle_root(tmp_path):
    path = tmp_path / "preprocess.json"
    with pytest.raises(BundleError) as caught:
        Preprocessing.from_json(path)
    assert str(caught.value) == f"cannot find preprocess.json at {path}; pass the bundle folder with --bundle_root"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"chanels": "grey"}', "no setting 'chanels'; did you mean 'channels'?"),
        ('{"zzz": 1}', "no setting 'zzz'; known settings: channels, lower_percentile"),
        ('{"channels": "blue"}', "got channels='blue', expected 'grey', 'rgb'"),
        ('{"upper_percentile": "99"}', "got upper_percentile='99', expected a number"),
        ('{"upper_percentile": 0}', "expected 0 <= lower < upper <= 100"),
        ('{"clip": 1}', "expected true or false"),
        ('{"pixel_size_um": -1}', "positive number of µm"),
        ('{"shorter_side_px": 0}', "expected a positive whole number of pixels"),
        ('{"shorter_side_px": 9, "pixel_size_um": 1}', "expected at most one"),
        ('{"zoom": 0.01}', "got zoom=0.01, expected a factor between 0.05 and 20"),
        ('{"zoom": true}', "got zoom=True, expected a number"),
        ('{"zoom": 2, "shorter_side_px": 9}', "got shorter_side_px=9 and zoom=2"),
        ("[]", "expected a JSON object"),
        ("{", "not a JSON file"),
    ],
)
def test_an_invalid_file_is_refused_with_its_name(tmp_path, text, message):
    path = tmp_path / "preprocess.json"
    path.write_text(text)
    with pytest.raises(BundleError) as caught:
        Preprocessing.from_json(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(("channels", "count"), [("grey", 1), ("rgb", 3), (["a", "b"], 2)])
def test_prepared_images_have_the_channels_of_the_policy(channels, count):
    names = ("a", "b", "c") if isinstance(channels, list) else ("red", "green", "blue")
    settings = Preprocessing(channels=channels)
    pixels = np.random.default_rng(0).integers(0, 255, (3, 8, 8)).astype(np.uint8)
    assert len(prepare(pixels, settings, channel_names=names)) == settings.channel_count == count


def test_an_image_is_resampled_to_the_pixel_size_of_training():
    pixels = np.random.default_rng(0).integers(0, 255, (1, 40, 60)).astype(np.uint8)
    out = prepare(pixels, Preprocessing(pixel_size_um=0.5), pixel_size_um=(0.25, 0.25))
    assert out.shape == (1, 20, 30)
    assert out.dtype == np.float32


def test_an_unknown_pixel_size_is_refused_if_one_is_needed():
    with pytest.raises(ValueError, match=r"pixel size of the image is unknown.*pass it as pixel_size_um"):
        prepare(np.zeros((1, 4, 4)), Preprocessing(pixel_size_um=0.5))
    assert prepare(np.zeros((1, 4, 4)), Preprocessing(), pixel_size_um=None).shape == (1, 4, 4)


@pytest.mark.parametrize("how", [{"imagej": True}, {"ome": True}], ids=["ImageJ", "OME"])
@pytest.mark.parametrize("count", [3, 4])
def test_a_file_of_unnamed_stains_is_not_converted_to_grey(tmp_path, how, count):
    path = tmp_path / "stains.tif"
    stored = np.random.default_rng(0).integers(0, 255, (count, 8, 9)).astype(np.uint8)
    tifffile.imwrite(path, stored, photometric="minisblack", metadata={"axes": "CYX"}, **how)
    image = io.read(path)
    assert (image.axes, image.channel_names) == ("CYX", ())
    with pytest.raises(ValueError, match=f"{count} unnamed.*set channels to a list"):
        prepare(image.pixels, Preprocessing(), channel_names=image.channel_names)
    assert prepare(image.pixels, Preprocessing(channels=[count - 1])).shape == (1, 8, 9)


def test_a_file_of_colours_is_converted_to_grey(tmp_path):
    path = tmp_path / "colours.tif"
    tifffile.imwrite(path, np.arange(8 * 9 * 3, dtype=np.uint8).reshape(8, 9, 3), photometric="rgb")
    image = io.read(path)
    assert prepare(image.pixels, Preprocessing(), channel_names=image.channel_names).shape == (1, 8, 9)


def test_importing_pixels_does_not_import_skimage_transform():
    program = "import sys, cellseg_monai.pixels; print('skimage.transform' in sys.modules)"
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "False"


def test_preparing_and_labelling_need_neither_torch_nor_monai():
    program = (
        "import sys, numpy as np\n"
        "from cellseg_monai import decoding, pixels\n"
        "image = pixels.prepare(np.eye(8)[None], pixels.Preprocessing())\n"
        "decoding.label_objects({'foreground': image[0]}, decoding.Postprocessing())\n"
        "print(sorted({'torch', 'monai'} & set(sys.modules)))"
    )
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(process.stdout) == []


@pytest.mark.parametrize("shape", [(20, 30), (30, 20), (10, 15)], ids=["wide", "high", "as it is"])
def test_the_shorter_side_determines_the_scale(shape):
    prepared = prepare(np.random.default_rng(0).random((1, *shape)), Preprocessing(shorter_side_px=10))
    assert sorted(prepared.shape[1:]) == [10, 15]
    assert (prepared.shape[1] > prepared.shape[2]) == (shape[0] > shape[1])


@pytest.mark.parametrize(("zoom", "shape"), [(0.5, (10, 15)), (2, (40, 60)), (1.01, (20, 30))])
def test_a_zoom_determines_the_scale_whatever_the_pixel_size(zoom, shape):
    image = np.random.default_rng(0).random((1, 20, 30))
    assert prepare(image, Preprocessing(zoom=zoom), pixel_size_um=(3.0, 7.0)).shape[1:] == shape
