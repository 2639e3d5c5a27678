"""Read any supported file as pixels in C, Y, X order, whole or window by window."""

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

    Values and their type are those in the file, with three exceptions that depend on the purpose of the file:

    - **Palette.** If a microscopy program wrote the file (ImageJ, OME, LSM, tifffile, ...), the palette is a look-up
      table for display. The stored values, which are measurements or labels, are then returned. In any other file the
      palette is part of the picture: colours are returned as red, green and blue, and a palette of greys as one
      channel. (`read_labels` always returns the stored values.)
    - **Min-is-white.** In files of microscopy programs this is a display setting, and values are returned as stored. In
      any other file they are inverted within their bit depth, so that bright is high.
    - **PNG below 8 bits.** Greys are the stored values (0 to 15 for 4 bits), as in TIFF.

    Of a slide scan (SVS, NDPI, SCN, QPI, Philips) the largest image is read, not its thumbnail, label, overview or
    further regions. Alpha is a channel of its own, named "alpha". Orientation tags (EXIF) are not applied, so that an
    image stays aligned with its label image, which rarely has the tag. Pixel sizes come from OME, ImageJ, LSM and
    DICOM, from MetaImage and NRRD if they name the unit, and from files of `write_labels`. The resolution of other
    TIFF, PNG and JPEG files is meant for printing and is ignored; so are sizes in inches from ImageJ, which come from
    such a resolution.

    Args:
        path: path of a file with one of `readable_suffixes()`; the first bytes take precedence over the name.
        axes: axes of the array as stored, such as "ZYX" or "YXC": one of the letters T, P, Z, C, Y, X, S for each
            dimension. They take precedence over the axes in the file. S are the samples of a colour, which are named
            red, green, blue (and alpha); C are channels of any kind. Required for stacks whose file does not say what
            they are, and for .npy with three or more dimensions.

    Raises:
        FileNotFoundError: there is no such file.
        UnreadableImageError: the file is damaged or of an unknown kind, its axes are not stated, or `axes` does not fit
            it. The message says what to do.
    """
    file = Path(fspath(path))
    with find_format(file).opened(file, axes) as stored:
        return arrange(file, stored, by_user=axes is not None)


def open_image(path: str | PathLike[str], axes: str | None = None) -> LazyImage:
    """Open the image of a file, so that windows can be read without reading the rest.

    Its pixels, axes, pixel size and channel names are the same as those from `read`. In TIFF and OME-Zarr, only the
    tiles, strips or chunks that a window touches are decoded; in uncompressed files and .npy, only the window itself is
    read. All other formats, old-style JPEG in TIFF, and the `_seg.npy` of Cellpose are read as a whole on opening;
    `LazyImage.is_lazy` is then False.

    Args:
        path: path of a file with one of `readable_suffixes()`; see `read`.
        axes: axes of the array as stored; see `read`.

    Returns:
        The image. Use it in a `with` block, which closes its file.

    Raises:
        FileNotFoundError: there is no such file.
        UnreadableImageError: under the same conditions as for `read`.

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
