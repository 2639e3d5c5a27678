"""Exceptions that callers catch by type or that carry data.

Every message says what the program got, what it expected, and what to do next.
"""

from __future__ import annotations

import re
from os import PathLike, fspath

__all__ = [
    "OF_AN_IMAGE",
    "ArchiveError",
    "ArchiveTooLargeError",
    "BlockError",
    "BundleError",
    "CheckpointError",
    "DatasetError",
    "FetchError",
    "TrainingError",
    "UnreadableImageError",
    "cause_of",
]

# Signs that a message is written for programmers: addresses, arguments, source files and advice on installation.
_FOR_PROGRAMMERS = re.compile(r"0x[0-9a-f]{4}|[a-z]_[a-z]|[=/\\`{}\[\]]|::|http|install|\bITK\b", re.IGNORECASE)
_LONGEST_CAUSE = 160


class UnreadableImageError(ValueError):
    """Raised when an image file cannot be read.

    Args:
        path: the image file.
        reason: what is wrong with the file, in a few words.
        remedy: what the user can do about it.

    >>> print(UnreadableImageError("a.tif", "the file is empty", "copy it again"))
    a.tif: the file is empty; copy it again
    """

    def __init__(self, path: str | PathLike[str], reason: str, remedy: str) -> None:
        super().__init__(f"{fspath(path)}: {reason}; {remedy}")
        self.path, self.reason, self.remedy = fspath(path), reason, remedy

    def __reduce__(self) -> tuple:
        # Data-loading workers pickle errors. By default, unpickling passes only the joined message to __init__.
        return type(self), (self.path, self.reason, self.remedy)


class DatasetError(ValueError):
    """Raised when a data set cannot be used as it is; the message lists every fault found."""


class FetchError(OSError):
    """Raised when a file cannot be fetched completely; the message says how far the download got and what to do."""


class ArchiveError(ValueError):
    """Raised for a file that is not an archive, is broken, or has a member outside the target folder."""


class ArchiveTooLargeError(ArchiveError):
    """Raised when an archive exceeds limits that the user can increase."""


class BundleError(ValueError):
    """Raised when a bundle is incomplete or lacks something that the user asked for."""


class BlockError(OSError):
    """Raised when processing part of an image on a cluster fails; the message says which part, and why."""


OF_AN_IMAGE = (ValueError, OSError, MemoryError)
"""Errors that a single image can cause. The image is then skipped; any other error is a bug in this program."""


class CheckpointError(RuntimeError):
    """Raised when a checkpoint cannot be written or read, or when training cannot continue from it."""


class TrainingError(RuntimeError):
    """Raised when a training run cannot continue."""


def cause_of(error: Exception) -> str:
    """Return the type and message of a library's error, or only the type if the message is written for programmers.

    >>> cause_of(ValueError("the checksum is wrong"))
    'ValueError: the checksum is wrong'
    >>> cause_of(ValueError("Object arrays cannot be loaded when allow_pickle=False"))
    'ValueError'
    """
    kind = type(error).__name__
    text = (error.strerror or "") if isinstance(error, OSError) and error.errno else " ".join(str(error).split())
    is_plain = 0 < len(text) <= _LONGEST_CAUSE and text.isprintable() and not _FOR_PROGRAMMERS.search(text)
    return f"{kind}: {text}" if is_plain else kind
