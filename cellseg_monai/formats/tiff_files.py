"""Open the files that belong to a TIFF image; an image can span thousands of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import tifffile

__all__ = ["contiguous_offset", "n_planes", "open_file"]


@contextmanager
def open_file(page: tifffile.TiffPage | tifffile.TiffFrame) -> Iterator[tifffile.FileHandle]:
    """Open the file that holds a page, and close it again if it was closed."""
    file = page.parent.filehandle
    was_closed = file.closed
    if was_closed:
        file.open()
    try:
        yield file
    finally:
        if was_closed:
            file.close()


def contiguous_offset(series: tifffile.TiffPageSeries) -> int | None:
    """Return the position of the pixels in their file if all of them follow each other in one file, otherwise None.

    tifffile's own `dataoffset` does not consider that the pages can be in several files.
    """
    files = {id(page.parent) for page in series.pages if page is not None}
    return series.dataoffset if len(files) == 1 else None


def n_planes(series: tifffile.TiffPageSeries) -> int:
    """Return the number of pages that the metadata of a series describe, which can differ from those that it has."""
    return int(series.size // max(1, series.keyframe.size))
