"""Open the files that belong to a TIFF image; an image can span thousands of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import tifffile

__all__ = ["open_file"]


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
