"""Read images in any supported format, whole or window by window, with their axes in the order C, Y, X."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from os import PathLike, fspath
from pathlib import Path

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.registry import find_format
from cellseg_monai.io.arrangement import arrange
from cellseg_monai.io.image import Image
from cellseg_monai.io.lazy_image import LazyImage

__all__ = ["image_files", "open_image", "read"]


def read(path: str | PathLike[str], axes: str | None = None) -> Image:
    """Read an image and put its axes in the order (T, P, Z,) C, Y, X.

    Values and their type are those in the file, except as follows:

    - **Palette.** In files from microscopy programs (ImageJ, OME, LSM, tifffile, ...), a palette is a look-up table for
      display, so the stored measurements or labels are returned. In any other file, the palette is part of the picture:
      a colour palette gives red, green and blue channels, and a grey palette a single channel. (`read_labels` always
      returns the stored values.)
    - **Min-is-white.** In files from microscopy programs, this is a display setting, and values are returned as stored.
      In any other file, values are inverted within their bit depth, so that high values are bright.

    Grey PNGs below 8 bits keep their stored values (0 to 15 for 4 bits), as in TIFF. For slide scans (SVS, NDPI, SCN,
    QPI, Philips), the largest image is read, not the thumbnail, label, overview or further regions. Alpha is a separate
    channel named "alpha". Orientation tags (EXIF and TIFF) are not applied, so that an image stays aligned with its
    label image, which rarely has the tag; the notes of the image say so. OME-TIFF files that name each other, and the
    files of a Micro-Manager stack, are one image, which each of them gives. No file outside the folder of the image is
    ever read.

    Pixel sizes come from OME, OME-Zarr, ImageJ, LSM and DICOM metadata, from other microscopes and slide scanners that
    write TIFF, from MetaImage and NRRD files that name the unit, and from files written by `write_labels`. The distance
    between planes and the time between images come from the same places. Units can have any name of the OME schema, of
    OME-Zarr or of ImageJ. Symbols are case-sensitive: "Mm" is a megametre.

    Most resolutions in TIFF, PNG and JPEG files are meant for printing and are ignored. In TIFF, a resolution counts as
    the pixel size if it is in centimetres and not one of the usual 72 to 1200 dots per inch (or coarser), or if it is
    in inches and finer than 1200 dots per inch. This also applies to ImageJ sizes in inches.

    A size that the file states, but that is not understood, is not used. `Image.notes` says so.

    Args:
        path: image file, or OME-Zarr folder, in one of the `FORMATS`. Its first bytes take precedence over its suffix.
        axes: axes of the stored array, such as "ZYX" or "YXC": one of the letters T, P, Z, C, Y, X and S for each
            dimension. They take precedence over the axes in the file. S stands for the samples of a colour, which are
            named red, green, blue (and alpha); C stands for channels of any kind. Required for stacks in files that do
            not state their axes, and for .npy files with three or more dimensions.

    Raises:
        FileNotFoundError: the path does not exist.
        UnreadableImageError: the file is damaged or has an unknown format, its axes are not stated, or `axes` does not
            fit the array. The message says what to do.
    """
    file = Path(fspath(path))
    with find_format(file).opened(file, axes) as stored:
        return arrange(file, stored, by_user=axes is not None)


def open_image(path: str | PathLike[str], axes: str | None = None) -> LazyImage:
    """Open an image, so that windows can be read without reading the rest.

    Pixels, axes, pixel size and channel names are the same as from `read`. In TIFF and OME-Zarr, only the tiles, strips
    or chunks that a window touches are decoded. In .npy files and in uncompressed TIFF, MetaImage and NRRD, only the
    window itself is read. All other formats, and TIFFs with old-style JPEG, are read whole on opening, and
    `LazyImage.is_lazy` is then False.

    Args:
        path: image file or OME-Zarr folder; see `read`.
        axes: axes of the stored array; see `read`.

    Returns:
        The open image. Use it in a `with` block, which closes the file.

    Raises:
        FileNotFoundError: the path does not exist.
        UnreadableImageError: the image cannot be read, for the same reasons as in `read`.

    >>> import tempfile, numpy as np
    >>> path = Path(tempfile.mkdtemp()) / "cells.npy"
    >>> np.save(path, np.arange(20).reshape(4, 5))
    >>> with open_image(path) as image:
    ...     image.shape, image.window((), slice(1, 3), slice(0, 2))
    ((1, 4, 5), array([[[ 5,  6],
                        [10, 11]]]))
    """
    file = Path(fspath(path))
    with ExitStack() as stack:
        stored = stack.enter_context(find_format(file).opened(file, axes))
        return LazyImage(file, stored, stack, stated_axes=axes)


def image_files(path: str | PathLike[str]) -> tuple[Path, ...]:
    """Return all files that make up the image in a file, sorted by name; often just that file.

    A file that cannot be read counts as an image of its own, because reading it tells what is wrong.

    Args:
        path: image file or OME-Zarr folder.
    """
    file = Path(fspath(path))
    with suppress(OSError, UnreadableImageError):
        return tuple(sorted(find_format(file).files_of(file)))
    return (file,)
