"""Features of MetaImage, NRRD and DICOM that the reader contract does not cover: axes, spacings, refusals."""

import numpy as np
import pytest

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats import decoder_errors
from cellseg_monai.io import read
from tests.io.files import write_dicom, write_metaimage, write_nrrd

VOLUME = np.arange(2 * 3 * 4, dtype=np.uint16).reshape(2, 3, 4)


def test_the_third_axis_of_a_metaimage_is_depth(tmp_path):
    write_metaimage(tmp_path / "cells.mha", VOLUME)
    image = read(tmp_path / "cells.mha")
    assert image.axes == "ZCYX"
    np.testing.assert_array_equal(image.pixels[:, 0], VOLUME)


def test_a_volume_of_colours_has_depth_and_channels(tmp_path):
    stored = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    write_metaimage(tmp_path / "cells.mha", stored, vector=True)
    image = read(tmp_path / "cells.mha")
    assert image.axes == "ZCYX"
    np.testing.assert_array_equal(image.pixels, stored.transpose(0, 3, 1, 2))


def test_header_and_pixels_can_be_two_files(tmp_path):
    header = tmp_path / "cells.mhd"
    header.write_text("NDims = 2\nDimSize = 4 3\nElementType = MET_USHORT\nElementDataFile = cells.raw\n")
    (tmp_path / "cells.raw").write_bytes(VOLUME[0].tobytes())
    np.testing.assert_array_equal(read(header).pixels[0], VOLUME[0])


def write_header(path, data, shape):
    sizes = " ".join(map(str, reversed(shape)))
    if path.suffix == ".mhd":
        lines = [f"NDims = {len(shape)}", f"DimSize = {sizes}", "ElementType = MET_USHORT", f"ElementDataFile = {data}"]
    else:
        lines = ["NRRD0004", "type: uint16", f"dimension: {len(shape)}", f"sizes: {sizes}", "encoding: raw"]
        lines += ["endian: little", f"data file: {data}"]
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_pixels_next_to_their_header_can_have_any_name_and_size(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(decoder_errors, "SMALL_BYTES", 1000)
    stored = np.arange(600 * 600, dtype=np.uint16).reshape(600, 600)
    (tmp_path / "its pixels.bin").write_bytes(stored.tobytes())
    write_header(tmp_path / f"cells{suffix}", "its pixels.bin", stored.shape)
    np.testing.assert_array_equal(read(tmp_path / f"cells{suffix}").pixels[0], stored)


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
@pytest.mark.parametrize("data", ["LIST\n0.raw\n1.raw", "%d.raw 0 1 1"], ids=["list", "pattern"])
def test_pixels_in_several_files_are_refused(tmp_path, suffix, data):
    """itk would fill the missing pixels of a short file with whatever was in memory."""
    for plane in (0, 1):
        (tmp_path / f"{plane}.raw").write_bytes(VOLUME[plane].tobytes()[: 24 - plane])
    write_header(tmp_path / f"cells{suffix}", data, VOLUME.shape)
    with pytest.raises(UnreadableImageError, match=r"pixels are spread over several files .*; save it as one file"):
        read(tmp_path / f"cells{suffix}")


def test_a_dicom_with_values_to_be_rescaled_is_refused(tmp_path):
    path = tmp_path / "cells.dcm"
    write_dicom(path, VOLUME[0], rescale="2 -10")
    with pytest.raises(UnreadableImageError, match="rescale slope 2 and intercept -10"):
        read(path)
    write_dicom(path, VOLUME[0], rescale="1 0")
    np.testing.assert_array_equal(read(path).pixels[0], VOLUME[0])


def test_samples_that_a_nrrd_marks_as_colours_are_named(tmp_path):
    stored = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)
    path = tmp_path / "cells.nrrd"
    write_nrrd(path, stored, kinds="RGB-color domain domain")
    assert read(path).channel_names == ("red", "green", "blue")
    write_nrrd(path, stored, kinds="vector domain domain")
    assert read(path).channel_names == ()
    assert read(path, axes="YXS").channel_names == ("red", "green", "blue")


def test_spacing_counts_only_with_a_unit(tmp_path):
    path = tmp_path / "cells.mha"
    write_metaimage(path, VOLUME[0], extra="ElementSpacing = 0.25 0.5\nDistanceUnits = um")
    assert read(path).pixel_size_um == pytest.approx((0.5, 0.25))
    write_metaimage(path, VOLUME[0], extra="ElementSpacing = 0.25 0.5")
    assert read(path).pixel_size_um is None


def test_units_of_nrrd_are_used(tmp_path):
    write_nrrd(tmp_path / "cells.nrrd", VOLUME[0], extra='spacings: 0.25 0.5\nunits: "um" "um"')
    assert read(tmp_path / "cells.nrrd").pixel_size_um == pytest.approx((0.5, 0.25))


def test_the_third_spacing_is_the_step_between_planes(tmp_path):
    write_metaimage(tmp_path / "cells.mha", VOLUME, extra="ElementSpacing = 0.25 0.5 3\nDistanceUnits = um")
    write_nrrd(tmp_path / "cells.nrrd", VOLUME, extra='spacings: 0.25 0.5 3\nunits: "um" "um" "um"')
    for name in ("cells.mha", "cells.nrrd"):
        image = read(tmp_path / name)
        assert (image.pixel_size_um, image.z_step_um) == (pytest.approx((0.5, 0.25)), pytest.approx(3))


def test_space_directions_of_nrrd_are_used(tmp_path):
    path = tmp_path / "cells.nrrd"
    directions = "space: left-posterior-superior\nspace directions: (0,0.0003,0.0004) (0.001,0,0) (0,0.003,0)"
    write_nrrd(path, VOLUME, extra=f'{directions}\nspace units: "mm" "mm" "mm"')
    image = read(path)
    assert (image.pixel_size_um, image.z_step_um) == (pytest.approx((1, 0.5)), pytest.approx(3))
    write_nrrd(path, VOLUME, extra=directions)
    assert (read(path).pixel_size_um, len(read(path).notes)) == (None, 2)
    write_nrrd(path, VOLUME[0], extra="space dimension: 2\nspace directions: none none")
    assert (read(path).pixel_size_um, read(path).notes) == (None, ())


def test_spacing_without_a_unit_is_noted(tmp_path):
    write_nrrd(tmp_path / "cells.nrrd", VOLUME[0], extra="spacings: 0.25 0.5")
    image = read(tmp_path / "cells.nrrd")
    assert image.pixel_size_um is None
    assert "without a unit" in image.notes[0].text


@pytest.mark.parametrize(
    ("suffix", "extra", "says"),
    [
        (".nrrd", 'units: "um" "um"', "an unknown length 'um' × an unknown length 'um'"),
        (".nrrd", 'spacings: nan 0.5\nunits: "um" "um"', "0.5 'um' × an unknown length 'um'"),
        (".nrrd", 'axis mins: 0 0\naxis maxs: 2 2\nunits: "um" "um"', "an unknown length"),
        (".nrrd", 'thicknesses: 2 2\nunits: "um" "um"', "an unknown length"),
        (".nrrd", 'spacings: 0.25 0.5\nunits: "um" ""', "0.5 without a unit × 0.25 'um'"),
        (".nrrd", 'space dimension: 2\nspace directions: (nan,0) (0,1)\nspace units: "um" "um"', "an unknown length"),
        (".mha", "DistanceUnits = um", "an unknown length 'um' × an unknown length 'um'"),
        (".mha", "ElementSpacing = nan 0.5\nDistanceUnits = um", "0.5 'um' × nan 'um'"),
    ],
)
def test_no_length_is_made_up_where_the_file_states_none(tmp_path, suffix, extra, says):
    (write_nrrd if suffix == ".nrrd" else write_metaimage)(tmp_path / f"a{suffix}", VOLUME[0], extra=extra)
    image = read(tmp_path / f"a{suffix}")
    assert image.pixel_size_um is None
    assert says in image.notes[0].text


@pytest.mark.parametrize("extra", ['units: "mm" "mm"', "spacings: nan nan", 'spacings: 1 1\nunits: "mm" "mm"'])
def test_a_header_that_knows_no_spacing_is_not_noted(tmp_path, extra):
    write_nrrd(tmp_path / "a.nrrd", VOLUME[0], extra=extra)
    assert (read(tmp_path / "a.nrrd").pixel_size_um, read(tmp_path / "a.nrrd").notes) == (None, ())


@pytest.mark.parametrize("extra", ["spacings: 1_0 1", "space dimension: 2\nspace directions: (1_0,0) (0,1)"])
def test_numbers_that_only_python_reads_are_refused(tmp_path, extra):
    write_nrrd(tmp_path / "a.nrrd", VOLUME[0], extra=extra)
    with pytest.raises(UnreadableImageError, match="expected a number"):
        read(tmp_path / "a.nrrd")


@pytest.mark.parametrize(
    ("stored", "kinds", "axes"),
    [
        (VOLUME, "time space space", "YXT"),
        (VOLUME, "space time space", "YTX"),
        (VOLUME, "vector time space", None),
        (VOLUME[0], "time space", None),
        (VOLUME[0], "space time", None),
    ],
)
def test_time_is_not_read_as_y_or_x(tmp_path, stored, kinds, axes):
    path = tmp_path / "cells.nrrd"
    write_nrrd(path, stored, kinds=kinds, extra="spacings: " + " ".join("234"[: stored.ndim]))
    with pytest.raises(UnreadableImageError, match="does not say what its axes are"):
        read(path)
    if axes is not None:
        image = read(path, axes=axes)
        assert (image.axes, image.pixel_size_um) == ("TCYX", None)
        np.testing.assert_array_equal(image.pixels[:, 0], np.moveaxis(stored, axes.index("T"), 0))


@pytest.mark.parametrize(("kinds", "axes"), [("", "ZCYX"), ("space space space", "ZCYX")])
def test_the_third_axis_of_a_nrrd_is_depth(tmp_path, kinds, axes):
    write_nrrd(tmp_path / "cells.nrrd", VOLUME, kinds=kinds)
    assert read(tmp_path / "cells.nrrd").axes == axes


def test_a_third_axis_that_a_nrrd_marks_as_time_must_be_stated(tmp_path):
    path = tmp_path / "cells.nrrd"
    write_nrrd(path, VOLUME, kinds="space space time")
    with pytest.raises(UnreadableImageError, match="pass axes="):
        read(path)
    assert read(path, axes="TYX").axes == "TCYX"


def test_the_axis_of_dicom_frames_must_be_stated(tmp_path):
    path = tmp_path / "cells.dcm"
    write_dicom(path, VOLUME)
    with pytest.raises(UnreadableImageError, match="pass axes="):
        read(path)
    np.testing.assert_array_equal(read(path, axes="TYX").pixels[:, 0], VOLUME)


def test_the_spacing_of_a_dicom_is_in_millimetres(tmp_path):
    write_dicom(tmp_path / "cells.dcm", VOLUME[0], spacing_mm="0.0005\\0.00025")
    assert read(tmp_path / "cells.dcm").pixel_size_um == pytest.approx((0.5, 0.25))


def test_a_dicom_with_bright_low_values_is_refused(tmp_path):
    write_dicom(tmp_path / "cells.dcm", VOLUME[0], photometric="MONOCHROME1")
    with pytest.raises(UnreadableImageError, match="MONOCHROME2"):
        read(tmp_path / "cells.dcm")


def test_an_impossible_size_is_refused_before_memory_is_allocated(tmp_path):
    path = tmp_path / "cells.mha"
    write_metaimage(path, VOLUME[0])
    path.write_bytes(path.read_bytes().replace(b"DimSize = 4 3", b"DimSize = 60000 60000"))
    with pytest.raises(UnreadableImageError, match="GB of pixels"):
        read(path)
