"""Label images on disk: one integer an object, written so that no id ever wraps."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path

import numpy as np

from cellseg_monai.atomic import replacing
from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io.arrangement import arrange
from cellseg_monai.io.axes import UnstatedAxesError
from cellseg_monai.io.label_tags import size_tags
from cellseg_monai.io.registry import find_format

__all__ = ["CLASSIC_TIFF_BYTES", "id_type", "read_labels", "write_labels"]

_ONE_PLANE = "save each plane as its own file"
_UINT16_MAX, _UINT32_MAX = 2**16 - 1, 2**32 - 1
CLASSIC_TIFF_BYTES = 2**32 - 2**25  # what its 32-bit offsets reach, less room for the tags


def read_labels(path: str | PathLike[str]) -> np.ndarray:
    """Return a label image as (Y, X) int32, or int64 where an id exceeds int32.

    Values are those that the file stores: of an image with a palette the indices, of a mask its 0 and
    255 or 0 and 1. The one exception is a mask of 1 bit that is marked as min-is-white and not by a
    microscopy program: as in `read`, what shows white is 1.
    Axes of length 1 before Y and X are dropped.

    Raises:
        FileNotFoundError: if there is no such file.
        UnreadableImageError: if it cannot be read, is no single 2-D plane, or holds floating-point
            numbers.
    """
    file = Path(fspath(path))
    try:
        with find_format(file).opened(file, None, indices=True) as stored:
            image = arrange(file, stored)
    except UnstatedAxesError as error:
        raise UnreadableImageError(file, f"{error.reason}, and a label image is one plane", _ONE_PLANE) from error
    if any(n > 1 for n in image.pixels.shape[:-3]):
        sizes = ", ".join(f"{n} {a}" for n, a in zip(image.pixels.shape, image.axes, strict=True))
        raise UnreadableImageError(file, f"a stack ({sizes}) as a label image", _ONE_PLANE)
    planes = image.pixels.reshape(image.pixels.shape[-3:])
    if len(planes) != 1:
        raise UnreadableImageError(
            file,
            f"a label image with {len(planes)} channels",
            "give every object an integer of its own in one channel; a colour mask has to be decoded first",
        )
    labels = planes[0]
    if labels.dtype.kind == "f":
        raise UnreadableImageError(
            file, f"labels of type {labels.dtype}, which holds fractions", "save the labels as integers"
        )
    if labels.dtype == np.uint64 and int(labels.max()) > np.iinfo(np.int64).max:
        raise UnreadableImageError(file, f"label {labels.max()} exceeds 64 bits", "relabel from 1 on")
    fits = labels.dtype == bool or (
        int(labels.max()) <= np.iinfo(np.int32).max and int(labels.min()) >= np.iinfo(np.int32).min
    )
    return labels.astype(np.int32 if fits else np.int64)


def write_labels(
    path: str | PathLike[str],
    labels: np.ndarray,
    *,
    pixel_size_um: tuple[float, float] | None = None,
    durable: bool = True,
) -> None:
    """Write a label image as TIFF: uint16, or uint32 if an id exceeds 65,535.

    The file appears under its name only when it is complete: it is written beside it and renamed.

    Args:
        path: ends in .tif or .tiff; an existing file is replaced, and missing folders are made.
        labels: (Y, X) integers from 0 to 4,294,967,295; 0 is background.
        pixel_size_um: height and width of a pixel; `read` gives it back, and other programs find it
            as resolution.
        durable: see `atomic.replacing`.

    Raises:
        TypeError: if the labels are no integers.
        ValueError: if they are not 2-D, empty, negative or too large, or if the suffix is not TIFF's.
    """
    import tifffile  # costs more than this whole package to import

    file, labels = Path(fspath(path)), np.asarray(labels)
    if file.suffix.lower() not in (".tif", ".tiff"):
        raise ValueError(f"labels are written as TIFF; {file.name!r} must end in .tif or .tiff")
    stored = _smallest(labels)
    tags = size_tags(pixel_size_um)
    with replacing(file, durable=durable) as aside:
        tifffile.imwrite(
            aside,
            stored,
            photometric="minisblack",
            compression="zlib",
            bigtiff=stored.nbytes > CLASSIC_TIFF_BYTES,
            **tags,
        )


def _smallest(labels: np.ndarray) -> np.ndarray:
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels are {labels.dtype}; they must be integers, one id an object")
    if labels.ndim != 2 or labels.size == 0:
        raise ValueError(f"labels have shape {labels.shape}; they must be (Y, X) and not empty")
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0:
        raise ValueError(f"the lowest label is {lowest}; 0 is background and ids are positive")
    return labels.astype(id_type(highest))


def id_type(highest: int) -> type[np.unsignedinteger]:
    """The type in which a label image is stored.

    Args:
        highest: its highest id.

    Raises:
        ValueError: an id of more than 32 bits.

    >>> id_type(70_000).__name__
    'uint32'
    """
    if highest > _UINT32_MAX:
        raise ValueError(f"the highest label is {highest}, above {_UINT32_MAX}; relabel from 1 on")
    return np.uint16 if highest <= _UINT16_MAX else np.uint32
