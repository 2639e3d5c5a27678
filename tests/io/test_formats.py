"""Every format meets the reader contract."""

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile
import zarr

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io import read
from tests.contracts.reader import ReaderContract
from tests.io.files import write_dicom, write_metaimage, write_nrrd, write_ome_zarr

ZARR_MAJOR = int(zarr.__version__.split(".")[0])
NUMBERS = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")


class TestTiff(ReaderContract):
    suffix = ".tif"
    dtypes = (*NUMBERS, "bool", "float16", "float32", "float64")
    samples = (2, 3, 4, 7)
    sample_dtypes = ("uint8", "uint16", "float32")

    def write(self, path, array):
        planar = {"planarconfig": "contig"} if array.ndim == 3 else {}
        tifffile.imwrite(path, array, photometric="minisblack", metadata=None, **planar)

    def write_sized(self, path, array, *, height_um, width_um):
        metadata = {"axes": "YX", "PhysicalSizeY": height_um, "PhysicalSizeX": width_um}
        tifffile.imwrite(path, array, ome=True, metadata=metadata)


class TestCompressedTiff(TestTiff):
    suffix = ".tiff"
    dtypes = (*NUMBERS, "float32")

    def write(self, path, array):
        planar = {"planarconfig": "contig"} if array.ndim == 3 else {}
        kinds = {"compression": "zlib", "predictor": array.dtype.itemsize < 8, "tile": (16, 16)}
        tifffile.imwrite(path, array, photometric="minisblack", metadata=None, **kinds, **planar)


class TestPng(ReaderContract):
    suffix = ".png"
    dtypes = ("uint8", "uint16", "bool")
    samples = (2, 3, 4)
    sample_dtypes = ("uint8", "uint16")

    def write(self, path, array):
        if array.dtype == np.uint16 and array.ndim == 3:
            path.write_bytes(imagecodecs.png_encode(array))  # Pillow cannot write such files
        else:
            PIL.Image.fromarray(array).save(path)


class TestJpeg(ReaderContract):
    suffix = ".jpg"
    dtypes = ("uint8",)
    samples = (3,)
    sample_dtypes = ("uint8",)
    tolerance = 6

    def write(self, path, array):
        PIL.Image.fromarray(array).save(path, quality=100, subsampling=0)


class TestBmp(ReaderContract):
    suffix = ".bmp"
    dtypes = ("uint8", "bool")
    samples = (3,)
    sample_dtypes = ("uint8",)

    def write(self, path, array):
        PIL.Image.fromarray(array).save(path)


class TestNumpy(ReaderContract):
    suffix = ".npy"
    dtypes = (*NUMBERS, "bool", "float16", "float32", "float64", ">u2", ">f4")

    def write(self, path, array):
        np.save(path, np.asfortranarray(array))

    def assert_same(self, actual, expected):
        super().assert_same(actual, expected.astype(expected.dtype.newbyteorder("=")))


class TestMetaImage(ReaderContract):
    suffix = ".mha"
    dtypes = (*NUMBERS, "float32", "float64")
    samples = (2, 3)
    sample_dtypes = ("uint8", "uint16", "float32", "float64")
    has_magic = False

    def write(self, path, array):
        write_metaimage(path, array, vector=array.ndim == 3)

    def write_sized(self, path, array, *, height_um, width_um):
        write_metaimage(path, array, extra=f"ElementSpacing = {width_um} {height_um}\nDistanceUnits = um")


class TestNrrd(ReaderContract):
    suffix = ".nrrd"
    dtypes = (*NUMBERS, "float32", "float64")
    samples = (2, 3)
    sample_dtypes = ("uint8", "uint16", "float32")

    def write(self, path, array):
        write_nrrd(path, array, kinds="vector domain domain" if array.ndim == 3 else "")

    def write_sized(self, path, array, *, height_um, width_um):
        write_nrrd(path, array, extra=f'spacings: {width_um} {height_um}\nunits: "um" "um"')


class TestDicom(ReaderContract):
    suffix = ".dcm"
    dtypes = ("uint8", "uint16", "int16")

    def write(self, path, array):
        write_dicom(path, array)

    def write_sized(self, path, array, *, height_um, width_um):
        write_dicom(path, array, spacing_mm=f"{height_um / 1000}\\{width_um / 1000}")


class TestOmeZarr(ReaderContract):
    suffix = ".zarr"
    dtypes = (*NUMBERS, "bool", "float16", "float32", "float64", ">u2")
    version = 2

    def write(self, path, array):
        write_ome_zarr(path, array, version=self.version)

    def write_sized(self, path, array, *, height_um, width_um):
        write_ome_zarr(path, array, version=self.version, scale=(height_um, width_um), unit="micrometer")

    def assert_same(self, actual, expected):
        super().assert_same(actual, expected.astype(expected.dtype.newbyteorder("=")))

    def parts(self, path):
        names = (".zattrs", "0/.zarray", "0/0/1") if self.version == 2 else ("zarr.json", "0/zarr.json", "0/c/0/1")
        return [path / name for name in names]

    def test_an_empty_file_is_refused(self, tmp_path):
        (tmp_path / "cells.zarr").mkdir()
        with pytest.raises(UnreadableImageError, match=r"has none of \.zgroup"):
            read(tmp_path / "cells.zarr")


@pytest.mark.skipif(ZARR_MAJOR < 3, reason="zarr 2 cannot read version 3")
class TestOmeZarrVersion3(TestOmeZarr):
    dtypes = (*NUMBERS, "bool", "float32", "float64")
    version = 3


del ReaderContract  # not a test by itself
