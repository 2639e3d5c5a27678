"""Turn any decoder error into an `UnreadableImageError`, and reject implausible sizes before allocating memory."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cellseg_monai.errors import UnreadableImageError

__all__ = ["DECODER_ERRORS", "SMALL_BYTES", "check_plausible_size", "decoding"]

DECODER_ERRORS: tuple[type[Exception], ...] = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    Warning,
    struct.error,
    zlib.error,
)
"""Errors that tifffile, imagecodecs, Pillow and itk are known to raise for broken or unusual files.

They share no base class: tifffile raises IndexError or TypeError for a corrupt tag, Pillow raises SyntaxError for a
truncated PNG, and warnings are raised where Python treats them as errors. Catching `Exception` would be simpler, but
would also hide errors that have nothing to do with decoding.
"""

SMALL_BYTES = 256 * 2**20
"""Size up to which an image always counts as plausible, because allocating it does no harm."""


@contextmanager
def decoding(path: Path, *also: type[Exception]) -> Iterator[None]:
    """Turn any decoder error into an `UnreadableImageError` that has the original error as its cause.

    Args:
        path: file being decoded.
        also: further error types that this decoder raises.

    Raises:
        UnreadableImageError: the decoder raised an error.

    >>> with decoding(Path("a.tif")):
    ...     raise IndexError("string index out of range")
    Traceback (most recent call last):
    cellseg_monai.errors.UnreadableImageError: a.tif: the file cannot be decoded (IndexError: string index
    out of range); it is damaged or unsupported, so save it again as plain TIFF
    """
    try:
        yield
    except (UnreadableImageError, FileNotFoundError, PermissionError):
        raise
    except (*DECODER_ERRORS, *also) as error:
        detail = " ".join(str(error).split())[:200]
        raise UnreadableImageError(
            path,
            f"the file cannot be decoded ({type(error).__name__}: {detail})",
            "it is damaged or unsupported, so save it again as plain TIFF",
        ) from error


def check_plausible_size(path: Path, declared_bytes: int, *, largest_ratio: float, file_bytes: int) -> None:
    """Reject an image size that the file cannot hold, before any memory is allocated.

    Args:
        path: image file, named in error messages.
        declared_bytes: size of the decoded array, according to the file.
        largest_ratio: highest possible number of decoded bytes per byte in the file; 1 if uncompressed.
        file_bytes: size of the file, or total size of several files.

    Raises:
        UnreadableImageError: the declared size is large and out of proportion to the file.

    >>> check_plausible_size(Path("a.tif"), 40_000_000_000, largest_ratio=1, file_bytes=100)
    Traceback (most recent call last):
    cellseg_monai.errors.UnreadableImageError: a.tif: its header declares 40.0 GB of pixels, but the file has
    only 100 bytes; it is damaged, so copy or export it again
    """
    if declared_bytes > max(SMALL_BYTES, largest_ratio * file_bytes):
        raise UnreadableImageError(
            path,
            f"its header declares {declared_bytes / 1e9:.1f} GB of pixels, but the file has only {file_bytes} bytes",
            "it is damaged, so copy or export it again",
        )
