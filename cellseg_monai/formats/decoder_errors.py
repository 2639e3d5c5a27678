"""Turn any decoder error into an `UnreadableImageError`, and reject implausible sizes before allocating memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cellseg_monai.errors import UnreadableImageError, cause_of

__all__ = ["SMALL_BYTES", "check_exact_size", "check_plausible_size", "decoding"]

SMALL_BYTES = 256 * 2**20
"""Size up to which an image always counts as plausible, because allocating it does no harm."""


@contextmanager
def decoding(path: Path) -> Iterator[None]:
    """Turn any decoder error into an `UnreadableImageError` that has the original error as its cause.

    The errors that decoders raise for broken files share no base class. tifffile raises IndexError or TypeError for a
    corrupt tag, Pillow raises SyntaxError for a truncated PNG, and Blosc raises SystemError for a negative size.
    KeyboardInterrupt and SystemExit are not caught.

    Args:
        path: file being decoded.

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
    except (UnreadableImageError, PermissionError):
        raise
    except Exception as error:
        if isinstance(error, FileNotFoundError) and not path.exists():
            raise
        raise UnreadableImageError(
            path,
            f"the file cannot be decoded ({cause_of(error)})",
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


def check_exact_size(path: Path, declared_bytes: int, held_bytes: int) -> None:
    """Reject a file that holds fewer or more bytes of pixels than its header declares.

    Args:
        path: image file, named in error messages.
        declared_bytes: size of the pixels, according to the header.
        held_bytes: size of the pixels in the file.

    Raises:
        UnreadableImageError: the sizes differ.

    >>> check_exact_size(Path("a.npy"), 24, 30)
    Traceback (most recent call last):
    cellseg_monai.errors.UnreadableImageError: a.npy: its header declares 24 bytes of pixels, but the file holds
    30; it is damaged, so copy or export it again
    """
    if declared_bytes != held_bytes:
        raise UnreadableImageError(
            path,
            f"its header declares {declared_bytes} bytes of pixels, but the file holds {max(0, held_bytes)}",
            "it is damaged, so copy or export it again",
        )
