"""The one way in: any known file to pixels in C, Y, X order, all at once or by windows."""

from __future__ import annotations

from contextlib import ExitStack
from os import PathLike, fspath
from pathlib import Path

from cellseg_monai.io.arrangement import arrange
from cellseg_monai.io.image import Image
from cellseg_monai.io.lazy_image import LazyImage
from cellseg_monai.io.registry import find_format

__all__ = ["open_image", "read"]


def read(path: str | PathLike[str], axes: str | None = None) -> Image:
    """Return the image of a file, with its axes in the order (T, P, Z,) C, Y, X.

    Values are those that the file stores, of the type that it stores, with three exceptions that
    depend on what a file is for:

    - **Palette.** Where a microscopy program wrote the file (ImageJ, OME, LSM, tifffile, ...), the palette is a
      look-up table for display, and the stored values, which are what was measured or a label, are
      returned. In any other file the palette is the picture: colours come back as red, green, blue,
      and a palette of greys as one channel. (`read_labels` always returns the stored values.)
    - **Min-is-white.** Likewise: kept as stored in files of microscopy programs, where it is a display
      setting; in any other file inverted within its bit depth, so that bright is high.
    - **Sub-8-bit PNG** greys are the stored values (0 to 15 for 4 bit), as in TIFF.

    Of a slide scan (SVS, NDPI, SCN, QPI, Philips) the largest image is read, not its thumbnail, label, overview or
    further regions. Alpha is a channel of its own, named "alpha". Orientation marks (EXIF) are not applied, so that an
    image and its label image, which rarely has the mark, keep lying on each other. Pixel sizes come from
    OME, ImageJ, LSM and DICOM, from MetaImage and NRRD where they name the unit, and from what
    `write_labels` wrote; the resolution of other TIFF, PNG and JPEG files is for printing and is ignored,
    and so are ImageJ's inches, which stand for it.

    Args:
        path: a file of one of `readable_suffixes()`; what its first bytes say wins over its name.
        axes: the axes of the array as the file stores it, such as "ZYX" or "YXC", one letter of
            T, P, Z, C, Y, X, S a dimension; they win over what the file says. S are the samples of a
            colour, which are named red, green, blue (, alpha); C are channels of any kind. Needed for
            stacks of which the file says nothing, and for .npy of three and more dimensions.

    Raises:
        FileNotFoundError: if there is no such file.
        UnreadableImageError: if the file is damaged or of an unknown kind, if nobody states its axes, or
            if `axes` does not fit it. The message says what to do.
    """
    file = Path(fspath(path))
    with find_format(file).opened(file, axes) as stored:
        return arrange(file, stored, by_user=axes is not None)


def open_image(path: str | PathLike[str], axes: str | None = None) -> LazyImage:
    """Return the image of a file, open, of which windows can be read without the rest.

    Its pixels, axes, pixel size and channel names are those that `read` returns. Of TIFF and OME-Zarr no more is
    decoded than the tiles, strips or chunks that a window touches, of uncompressed files and .npy no more is read than
    the window. All other formats, old JPEG within TIFF, and Cellpose's `_seg.npy` are read as a whole when they are
    opened: `LazyImage.is_lazy` tells.

    Args:
        path: as for `read`.
        axes: as for `read`.

    Returns:
        The image; use it in a `with` block, which closes its file.

    Raises:
        FileNotFoundError: if there is no such file.
        UnreadableImageError: as `read` does.

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
