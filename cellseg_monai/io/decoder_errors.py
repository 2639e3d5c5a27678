"""Turn the many errors of decoders into one, and refuse implausible sizes before memory is allocated."""

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
"""Errors that tifffile, imagecodecs, Pillow and itk have been seen to raise on broken or unusual files.

They share no base class: a fuzzed tag raises IndexError or TypeError in tifffile, a truncated PNG raises
SyntaxError in Pillow, and warnings are raised where they count as errors. `Exception` would be simpler, but
would also hide errors that have nothing to do with decoding.
"""

SMALL_BYTES = 256 * 2**20
"""Images up to this size are always allocated, because they do no harm."""


@contextmanager
def decoding(path: Path, *also: type[Exception]) -> Iterator[None]:
    """Turn any error of a decoder into an `UnreadableImageError` whose cause is the original error.

    Args:
        path: path of the file that is decoded.
        also: further error types of this decoder.

    Raises:
        UnreadableImageError: the decoder raised an error.

    >>> with decoding(Path("a.tif")):
    ...     raise IndexError("string index out of range")
    Traceback (most recent call last):
    cellseg_monai.errors.UnreadableImageError: a.tif: it cannot be decoded (IndexError: string index
    out of range); it is damaged or of an unsupported kind: save it again as plain TIFF
    """
    try:
        yield
    except (UnreadableImageError, FileNotFoundError, PermissionError):
        raise
    except (*DECODER_ERRORS, *also) as error:
        detail = " ".join(str(error).split())[:200]
        raise UnreadableImageError(
            path,
            f"it cannot be decoded ({type(error).__name__}: {detail})",
            "it is damaged or of an unsupported kind: save it again as plain TIFF",
        ) from error


def check_plausible_size(path: Path, declared_bytes: int, *, largest_ratio: float, file_bytes: int) -> None:
    """Refuse, before anything is allocated, an image size that the file cannot hold.

    Args:
        path: path of the file, for messages.
        declared_bytes: size of the decoded array.
        largest_ratio: largest number of decoded bytes for each byte of the file; 1 if uncompressed.
        file_bytes: size of the file or files.

    Raises:
        UnreadableImageError: the declared size is large and out of proportion to the file.

    >>> check_plausible_size(Path("a.tif"), 40_000_000_000, largest_ratio=1, file_bytes=100)
    Traceback (most recent call last):
    cellseg_monai.errors.UnreadableImageError: a.tif: it declares 40.0 GB of pixels, but the file has
    only 100 bytes; it is damaged: copy or export it again
    """
    if declared_bytes > max(SMALL_BYTES, largest_ratio * file_bytes):
        raise UnreadableImageError(
            path,
            f"it declares {declared_bytes / 1e9:.1f} GB of pixels, but the file has only {file_bytes} bytes",
            "it is damaged: copy or export it again",
        )
