"""MetaImage and NRRD files are read as itk reads them."""

import gzip
import itertools
import warnings
import zlib

import numpy as np
import pytest

from cellseg_monai.io import read
from tests.io.files import write_metaimage, write_nrrd
from tests.io.windows import assert_windows_equal_whole_image

SHAPES = [(5, 7), (1, 1), (2, 3, 4), (3, 5, 7)]
TYPES = ("u1", "u2", "i2", "u4", "i4", "u8", "f4", "f8")
VECTORS = ("u1", "u2", "i2", "f4", "f8")  # that itk has in Python
SCALARS = {"u1": "UC", "u2": "US", "i2": "SS", "u4": "UI", "i4": "SI", "u8": "ULL", "f4": "F", "f8": "D"}
WORDS = {"u1": "uchar", "u2": "ushort", "i2": "int16_t", "u4": "uint32", "i4": "int", "u8": "ulonglong"}


@pytest.fixture(scope="module")
def itk():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        itk = pytest.importorskip("itk")
        itk.array_from_image(itk.Image[itk.UC, 2].New(Regions=[1, 1]))
        itk.VectorImage  # noqa: B018  loads the module
        itk.ImageFileReader  # noqa: B018
        return itk


def numbers(shape, kind):
    return (np.arange(np.prod(shape)) * 37 % 251).astype(kind).reshape(shape)


def assert_same_as_itk(itk, path, kind, *, unit=False):
    """Compare values, samples and spacing; itk returns ZYX(S)."""
    info = (itk.NrrdImageIO if path.suffix in (".nrrd", ".nhdr") else itk.MetaImageIO).New()
    info.SetFileName(str(path))
    info.ReadImageInformation()
    n_samples, n_axes = info.GetNumberOfComponents(), info.GetNumberOfDimensions()
    container = itk.VectorImage if n_samples > 1 else itk.Image
    reader = itk.ImageFileReader[container[getattr(itk, SCALARS[kind]), n_axes]].New()
    reader.SetFileName(str(path))
    reader.SetImageIO(info)
    reader.Update()
    expected = itk.array_from_image(reader.GetOutput())
    expected = np.moveaxis(expected, -1, -3) if n_samples > 1 else np.expand_dims(expected, -3)
    image = read(path)
    assert image.pixels.dtype == expected.dtype
    np.testing.assert_array_equal(image.pixels, expected)
    assert image.pixel_size_um == (pytest.approx((info.GetSpacing(1), info.GetSpacing(0))) if unit else None)
    names = {"rgb": ("red", "green", "blue"), "rgba": ("red", "green", "blue", "alpha")}
    assert image.channel_names == names.get(info.GetPixelTypeAsString(info.GetPixelType()), ())
    assert_windows_equal_whole_image(path)


@pytest.mark.parametrize("kind", TYPES)
def test_metaimages_of_every_type_and_shape(itk, tmp_path, kind):
    for shape, is_vector in itertools.product(SHAPES, {False, kind in VECTORS}):
        path = tmp_path / "a.mha"
        stored = numbers((*shape, 3) if is_vector else shape, kind)
        size = f"ElementSpacing = {' '.join(['0.25', '0.5', '3'][: len(shape)])}\nDistanceUnits = um"
        write_metaimage(path, stored, vector=is_vector, extra=size)
        assert_same_as_itk(itk, path, kind, unit=True)
        write_metaimage(path, stored.byteswap(), vector=is_vector)
        path.write_bytes(path.read_bytes().replace(b"MSB = False", b"MSB = True"))
        assert_same_as_itk(itk, path, kind)


@pytest.mark.parametrize("kind", TYPES)
def test_compressed_and_detached_metaimages(itk, tmp_path, kind):
    stored, path = numbers((6, 9), kind), tmp_path / "a.mhd"
    packed = zlib.compress(stored.tobytes())
    write_metaimage(path, stored)
    header = path.read_bytes().partition(b"ElementDataFile")[0]
    (tmp_path / "its data.raw").write_bytes(b"first" + stored.tobytes())
    for skipped in (b"HeaderSize = -1\n", b"HeaderSize = 5\n"):
        path.write_bytes(header + skipped + b"ElementDataFile = its data.raw\n")
        assert_same_as_itk(itk, path, kind)
    compressed = b"CompressedData = True\nCompressedDataSize = %d\nElementDataFile = " % len(packed)
    path.write_bytes(header + compressed + b"LOCAL\n" + packed)
    assert_same_as_itk(itk, path, kind)
    (tmp_path / "a.zraw").write_bytes(packed)
    path.write_bytes(header + compressed + b"a.zraw\n")
    assert_same_as_itk(itk, path, kind)


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind != "u8"])
def test_files_that_itk_wrote(itk, tmp_path, kind):
    stored = numbers((4, 8, 6), kind)
    for suffix, is_compressed in itertools.product((".mha", ".mhd", ".nrrd", ".nhdr"), (False, True)):
        path = tmp_path / f"{is_compressed}{suffix}"
        itk.imwrite(itk.image_from_array(stored), str(path), compression=is_compressed)
        assert_same_as_itk(itk, path, kind)


@pytest.mark.parametrize("kind", TYPES)
def test_nrrds_of_every_type_shape_and_encoding(itk, tmp_path, kind):
    encodings = {"raw": bytes, "gzip": gzip.compress, "hex": lambda data: data.hex().encode(), "text": None}
    for shape, encoding in itertools.product(SHAPES, encodings):
        stored, path = numbers(shape, kind), tmp_path / "a.nrrd"
        write_nrrd(path, stored, extra="# a comment\nkey:=value: with a colon")
        pack = encodings[encoding] or (lambda _, stored=stored: " ".join(map(str, stored.ravel().tolist())).encode())
        header = path.read_bytes()[: -stored.nbytes].replace(b": raw", b": " + encoding.encode())
        header = header.replace(stored.dtype.name.encode(), WORDS.get(kind, stored.dtype.name).encode())
        path.write_bytes(header + pack(stored.tobytes()))
        assert_same_as_itk(itk, path, kind)
        if encoding != "text":
            path.write_bytes(header.replace(b"little", b"big") + pack(stored.byteswap().tobytes()))
            assert_same_as_itk(itk, path, kind)


@pytest.mark.parametrize(
    ("kinds", "size"),
    [
        ("vector", 5), ("list", 2), ("point", 3), ("covariant-vector", 3), ("2-vector", 2), ("3-vector", 3),
        ("3-color", 3), ("RGB-color", 3), ("rgb-COLOR", 3), ("HSV-color", 3), ("XYZ-color", 3), ("4-color", 4),
        ("RGBA-color", 4), ("complex", 2), ("scalar", 1), ("stub", 1), ("vector", 1), ("3D-symmetric-matrix", 6),
        ("2D-matrix", 4), ("3D-matrix", 9),
    ],
)  # fmt: skip
def test_nrrds_with_samples_along_any_axis(itk, tmp_path, kinds, size):
    for place in range(3):
        names, shape = ["domain", "space"], [3, 4]
        names.insert(place, kinds)
        shape.insert(2 - place, size)
        write_nrrd(tmp_path / "a.nrrd", numbers(shape, "u2"), kinds=" ".join(names))
        assert_same_as_itk(itk, tmp_path / "a.nrrd", "u2")


def test_pixels_of_a_nrrd_can_follow_lines_and_bytes(itk, tmp_path):
    stored, path = numbers((3, 4), "u2"), tmp_path / "a.nrrd"
    data = stored.tobytes()
    for extra, encoding, content in (
        ("line skip: 2\nbyteskip: 3", b"raw", b"one\ntwo\nabc" + data),
        ("byte skip: -1", b"raw", b"any length" + data),
        ("lineskip: 1\nbyte skip: 3", b"gzip", b"one\n" + gzip.compress(b"abc" + data)),
    ):
        write_nrrd(path, stored, extra=extra)
        header = path.read_bytes()[: -stored.nbytes]
        path.write_bytes(header.replace(b": raw", b": " + encoding) + content)
        assert_same_as_itk(itk, path, "u2")


def test_spacings_of_a_nrrd(itk, tmp_path):
    path = tmp_path / "a.nrrd"
    write_nrrd(path, numbers((3, 4), "u2"), extra='spacings: 0.25 0.5\nunits: "um" "um"')
    assert_same_as_itk(itk, path, "u2", unit=True)
    directions = "space dimension: 2\nspace directions: (0.25,0) (0,0.5)\nspace origin: (0,0)"
    write_nrrd(path, numbers((3, 4), "u2"), extra=directions)
    assert_same_as_itk(itk, path, "u2")
