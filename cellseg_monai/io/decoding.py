"""Decoders: their zoo of errors as one, and no memory for sizes that cannot be true."""

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
"""What tifffile, imagecodecs, Pillow and itk were seen to raise on files that are broken or odd.

They promise no base class: a fuzzed tag ends as IndexError or TypeError in tifffile, a PNG without its
end as SyntaxError in Pillow; and what they warn of is raised where warnings are errors. `Exception`
would be simpler, and would hide what is no decoder's fault.
"""

SMALL_BYTES = 256 * 2**20
"""Up to this size an image is allocated whatever its file's size: it does no harm."""


@contextmanager
def decoding(path: Path, *also: type[Exception]) -> Iterator[None]:
    """Turn whatever a decoder raises into `UnreadableImageError`; the cause stays attached.

    Args:
        path: the file that is being decoded.
        also: further error types of this decoder.

    Raises:
        UnreadableImageError: instead of any decoder error.

    >>> with decoding(Path("a.tif")):
    ...     raise IndexError("string index out of range")
    Traceback (most recent call last):
    cellseg_monai.errors.UnreadableImageError: a.tif: it cannot be decoded (IndexError: string index
    out of range); it is damaged or of a kind that is not supported: save it again as plain TIFF
    """
    try:
        yield
    except (UnreadableImageError, FileNotFoundError, PermissionError):
        raise
    except (*DECODER_ERRORS, *also) as error:
        said = " ".join(str(error).split())[:200]
        raise UnreadableImageError(
            path,
            f"it cannot be decoded ({type(error).__name__}: {said})",
            "it is damaged or of a kind that is not supported: save it again as plain TIFF",
        ) from error


def check_plausible_size(path: Path, declared_bytes: int, *, largest_ratio: float, file_bytes: int) -> None:
    """Refuse, before anything is allocated, a size that the file cannot hold.

    Args:
        path: the file, for the message.
        declared_bytes: size of the decoded array.
        largest_ratio: how many bytes one byte of the file can stand for at most; 1 if uncompressed.
        file_bytes: size of the file or files.

    Raises:
        UnreadableImageError: if the declared size is large and out of all proportion.

    >>> check_plausible_size(Path("a.tif"), 40_000_000_000, largest_ratio=1, file_bytes=100)
    Traceback (most recent call last):
    cellseg_monai.errors.UnreadableImageError: a.tif: it declares 40.0 GB of pixels and is a file of
    100 bytes; it is damaged: copy or export it again
    """
    if declared_bytes > max(SMALL_BYTES, largest_ratio * file_bytes):
        raise UnreadableImageError(
            path,
            f"it declares {declared_bytes / 1e9:.1f} GB of pixels and is a file of {file_bytes} bytes",
            "it is damaged: copy or export it again",
        )
