"""Small sound files of many formats and variants, for `damaged_files.py`."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import imagecodecs
import numcodecs
import numpy as np
import tifffile
import zarr
from PIL import Image

from cellseg_monai.io import write_labels

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.io.files import (
    dicom_items,
    lsm_info,
    write_dicom,
    write_metaimage,
    write_micromanager,
    write_nrrd,
    write_ome_zarr,
    write_packed_tiff,
    write_png,
)

__all__ = ["Sample", "samples"]


_JPEG_2000 = "1.2.840.10008.1.2.4.90"


class Sample(NamedTuple):
    """A kind of file to damage.

    Args:
        name: name of the kind, which ends with the suffix of its files.
        write: writes such a file, or folder, to a path.
        axes: axes to state when reading it, if the file does not.
        is_labels: True to read it as a label image as well.
    """

    name: str
    write: Callable[[Path], object]
    axes: str | None = None
    is_labels: bool = False


def cells(*shape: int, dtype: str = "uint16") -> np.ndarray:
    """Return a smooth picture with a little noise, so that every row differs."""
    grid = np.indices(shape or (45, 61))
    values = np.hypot(grid[-2] % 17, grid[-1] % 23) * 9 + grid.sum(0) % 5
    return np.asarray(values * (20 if np.dtype(dtype).itemsize > 1 else 1)).astype(dtype)


def labels(*shape: int) -> np.ndarray:
    """Return a label image of square cells."""
    y, x = np.indices(shape or (45, 61))
    return np.where((y % 9 > 1) & (x % 8 > 1), y // 9 * 8 + x // 8 + 1, 0).astype(np.uint16)


def samples() -> list[Sample]:
    """Return all kinds of files."""
    return [*_tiffs(), *_dialects(), *_pictures(), *_arrays(), *_volumes(), *_zarrs(), *_label_files()]


def _tiff(name: str, array: np.ndarray, axes: str | None = None, **how: Any) -> Sample:
    how = {"metadata": None, "photometric": "minisblack", **how}
    return Sample(f"{name}.tif", lambda path: tifffile.imwrite(path, array, **how), axes)


def _tiffs() -> Iterator[Sample]:
    """Yield TIFFs in different layouts and compressions."""
    plane, small = cells(), cells(dtype="uint8")
    colours = np.stack([small, small[::-1], small[:, ::-1]], -1)
    yield _tiff("tiff one strip", plane)
    yield _tiff("tiff strips", plane, rowsperstrip=7)
    yield _tiff("tiff tiles", plane, tile=(16, 32))
    yield _tiff("tiff big-endian", plane, byteorder=">", rowsperstrip=10)
    yield _tiff("tiff big", plane, bigtiff=True, rowsperstrip=10)
    yield _tiff("tiff float32", plane.astype("float32"), rowsperstrip=10)
    yield _tiff("tiff int8", small.astype("int8"), rowsperstrip=10)
    yield _tiff("tiff colours", colours, photometric="rgb", rowsperstrip=10)
    yield _tiff("tiff planar colours", colours.transpose(2, 0, 1), photometric="rgb", planarconfig="separate")
    yield _tiff("tiff planar tiles", colours.transpose(2, 0, 1), planarconfig="separate", tile=(16, 16), axes="CYX")
    yield _tiff("tiff palette", small, photometric="palette", colormap=np.arange(768, dtype="uint16").reshape(3, 256))
    yield _tiff("tiff white is zero", small, photometric="miniswhite", software="Paint")
    for name in ("lzw", "zlib", "zstd", "packbits", "lzma", "png", "jpeg2000", "webp", "jpegxl", "lerc", "jpegxr"):
        values = colours if name == "webp" else small
        photometric = "rgb" if name == "webp" else "minisblack"
        yield _tiff(f"tiff {name}", values, compression=name, photometric=photometric)
    yield _tiff("tiff jpeg", colours, compression="jpeg", photometric="rgb")
    yield _tiff("tiff jpeg tiles", small, compression="jpeg", tile=(16, 32))
    yield _tiff("tiff lzw strips", plane, compression="lzw", rowsperstrip=8)
    yield _tiff("tiff lzw predictor", plane, compression="lzw", predictor=True, tile=(32, 32))
    yield _tiff("tiff zlib strips", plane, compression="zlib", rowsperstrip=8)
    yield _tiff("tiff float predictor", plane.astype("float32"), compression="zlib", predictor=3)
    yield Sample("tiff 12 bits.tif", lambda path: write_packed_tiff(path, plane % 4096, 12, metadata=None))
    yield Sample("tiff 1 bit.tif", lambda path: tifffile.imwrite(path, small > 99, photometric="minisblack"))


def _dialects() -> Iterator[Sample]:
    """Yield TIFFs of microscopy programs, and pyramids."""
    stack = cells(3, 40, 50)
    yield _tiff("tiff pages", stack, "ZYX", rowsperstrip=9)
    yield _tiff("tiff zlib pages", stack, "ZYX", compression="zlib")
    yield _tiff("tiff shaped", stack, metadata={"axes": "ZYX"})
    yield _tiff("imagej", cells(2, 3, 30, 40), imagej=True, metadata={"axes": "ZCYX", "unit": "um"}, resolution=(4, 4))
    yield _tiff("ome", stack, ome=True, metadata={"axes": "CYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5})
    yield _tiff("ome zlib", stack, ome=True, metadata={"axes": "TYX"}, compression="zlib", tile=(16, 16))
    yield Sample("ome pyramid.ome.tif", _write_pyramid)
    yield Sample("lsm.lsm", partial(_write_lsm, stack))
    yield Sample("lsm lzw.lsm", partial(_write_lsm, stack, compression="lzw"))
    yield Sample("micromanager.tif", lambda path: write_micromanager(path, cells(2, 2, 30, 40)))
    sparse: dict[str, Any] = {"extratags": [(42113, "s", 1, "0")], "rowsperstrip": 8, "compression": "zlib"}
    yield _tiff("gdal", cells(), **sparse)


def _write_pyramid(path: Path) -> None:
    full = cells(64, 96)
    with tifffile.TiffWriter(path, ome=True) as writer:
        writer.write(full, subifds=2, metadata={"axes": "YX"}, tile=(32, 32), compression="zlib")
        for step in (2, 4):
            writer.write(full[::step, ::step], subfiletype=1, tile=(32, 32), compression="zlib")


def _write_lsm(stack: np.ndarray, path: Path, **how: Any) -> None:
    depth, height, width = stack.shape
    info = lsm_info(DimensionX=width, DimensionY=height, DimensionZ=depth, DimensionChannels=1, DimensionTime=1)
    how = {"photometric": "minisblack", "metadata": None, "contiguous": False, **how}
    with tifffile.TiffWriter(path, byteorder="<") as writer:
        for number, plane in enumerate(stack):
            extra = {"extratags": [(34412, "B", info.nbytes, info.tobytes())]} if number == 0 else {}
            writer.write(plane, **how, **extra)
            writer.write(plane[::8, ::8].astype("uint8"), **{**how, "subfiletype": 1})


def _picture(name: str, array: np.ndarray, mode: str | None = None, **how: Any) -> Sample:
    picture = Image.fromarray(array)
    return Sample(name, lambda path: picture.convert(mode or picture.mode).save(path, **how))


def _pictures() -> Iterator[Sample]:
    """Yield PNG, JPEG and BMP of every kind."""
    grey = cells(dtype="uint8")
    colours = np.stack([grey, grey[::-1], grey[:, ::-1]], -1)
    yield _picture("png grey.png", grey)
    yield _picture("png 16 bits.png", cells())
    yield _picture("png 1 bit.png", grey > 99)
    yield _picture("png palette.png", grey, "P")
    yield _picture("png grey alpha.png", grey, "LA")
    yield _picture("png colours.png", colours)
    yield _picture("png colours alpha.png", colours, "RGBA")
    rows = np.random.default_rng(0).integers(0, 256, (30, 12), np.uint8).tobytes()
    yield Sample("png 4 bits.png", lambda path: write_png(path, rows, 24, 30, depth=4, kind=0))
    deep = colours.astype("uint16") * 200
    yield Sample("png 16-bit colours.png", lambda path: path.write_bytes(imagecodecs.png_encode(deep)))
    yield _picture("jpeg grey.jpg", grey)
    yield _picture("jpeg colours.jpg", colours, quality=90)
    yield _picture("jpeg progressive.jpg", colours, progressive=True)
    yield _picture("bmp grey.bmp", grey)
    yield _picture("bmp colours.bmp", colours)


def _arrays() -> Iterator[Sample]:
    """Yield NumPy files, and those of Cellpose."""
    yield Sample("npy.npy", lambda path: np.save(path, cells()))
    yield Sample("npy fortran.npy", lambda path: np.save(path, np.asfortranarray(cells())))
    yield Sample("npy stack.npy", lambda path: np.save(path, cells(3, 30, 40, dtype="float32")), "CYX")
    yield Sample("cellpose_seg.npy", _write_cellpose, is_labels=True)


def _write_cellpose(path: Path) -> None:
    saved: Any = {"masks": labels(), "outlines": labels() * 0, "filename": "a.tif"}
    with path.open("wb") as stream:
        np.lib.format.write_array(stream, np.array(saved), allow_pickle=True)


def _volumes() -> Iterator[Sample]:
    """Yield MetaImage, NRRD and DICOM."""
    plane, stack = cells(), cells(3, 30, 40)
    yield Sample("metaimage.mha", lambda path: write_metaimage(path, plane))
    yield Sample("metaimage stack.mha", lambda path: write_metaimage(path, stack))
    yield Sample("metaimage zlib.mha", lambda path: _write_packed_metaimage(path, plane))
    yield Sample("nrrd.nrrd", lambda path: write_nrrd(path, plane))
    yield Sample("nrrd stack.nrrd", lambda path: write_nrrd(path, stack), "ZYX")
    yield Sample("nrrd gzip.nrrd", lambda path: _write_packed_nrrd(path, plane))
    yield Sample("dicom.dcm", lambda path: write_dicom(path, plane, spacing_mm="0.5\\0.5"))
    yield Sample("dicom stack.dcm", lambda path: write_dicom(path, stack), "ZYX")
    packed = dicom_items(b"", bytes(imagecodecs.jpeg2k_encode(plane, codecformat="j2k", reversible=True)) + bytes(1))
    yield Sample("dicom jpeg.dcm", lambda path: write_dicom(path, plane, syntax=_JPEG_2000, pixels=packed))


def _write_packed_metaimage(path: Path, array: np.ndarray) -> None:
    packed = zlib.compress(array.tobytes())
    write_metaimage(path, array, extra=f"CompressedData = True\nCompressedDataSize = {len(packed)}")
    path.write_bytes(path.read_bytes()[: -array.nbytes] + packed)


def _write_packed_nrrd(path: Path, array: np.ndarray) -> None:
    write_nrrd(path, array)
    head = path.read_bytes()[: -array.nbytes].replace(b"encoding: raw", b"encoding: gzip")
    gzip = zlib.compressobj(wbits=31)
    path.write_bytes(head + gzip.compress(array.tobytes()) + gzip.flush())


def _zarrs() -> Iterator[Sample]:
    """Yield OME-Zarr with the codecs that are common."""
    plane, chunks = cells(), (16, 32)
    yield Sample("zarr 2 blosc.zarr", lambda path: write_ome_zarr(path, plane, plane[::2, ::2], chunks=chunks))
    for name, codec in {
        "raw": None,
        "zlib": numcodecs.Zlib(),
        "zstd": numcodecs.Zstd(),
        "lz4": numcodecs.LZ4(),
        "gzip": numcodecs.GZip(),
        "bz2": numcodecs.BZ2(),
    }.items():
        yield Sample(f"zarr 2 {name}.zarr", partial(_write_zarr2, plane, codec))
    if int(zarr.__version__.split(".")[0]) > 2:
        yield Sample("zarr 3 blosc.zarr", lambda path: write_ome_zarr(path, plane, version=3, chunks=chunks))
        for name in ("zstd", "gzip", "raw"):
            yield Sample(f"zarr 3 {name}.zarr", partial(_write_zarr3, plane, name))


def _write_zarr2(array: np.ndarray, codec: Any, path: Path) -> None:
    newer: dict[str, Any] = {} if zarr.__version__.startswith("2.") else {"zarr_format": 2}
    how: dict[str, Any] = {"shape": array.shape, "dtype": array.dtype, "chunks": (16, 32), "fill_value": 0}
    zarr.create(store=str(path), **how, compressor=codec, dimension_separator="/", **newer)[...] = array


def _write_zarr3(array: np.ndarray, name: str, path: Path) -> None:
    from zarr import codecs  # only in zarr 3

    codec = {"zstd": codecs.ZstdCodec(checksum=True), "gzip": codecs.GzipCodec()}.get(name)
    how: dict[str, Any] = {"shape": array.shape, "dtype": array.dtype, "chunks": (16, 32)}
    zarr.create_array(str(path), **how, compressors=codec)[...] = array


def _label_files() -> Iterator[Sample]:
    """Yield label images, as this package and others write them."""
    objects = labels()
    yield Sample("labels.tif", lambda path: write_labels(path, objects), is_labels=True)
    ome = partial(write_labels, labels=objects, pixel_size_um=(0.5, 0.5), ome_name="cells")
    yield Sample("labels.ome.tif", ome, is_labels=True)
    yield Sample("labels.zarr", lambda path: write_ome_zarr(path, objects, chunks=(16, 32)), is_labels=True)
    png = Image.fromarray(objects)
    yield Sample("labels.png", lambda path: png.save(path), is_labels=True)
    coloured = Image.fromarray(objects.astype("uint8")).convert("P")
    yield Sample("labels palette.png", lambda path: coloured.save(path), is_labels=True)
