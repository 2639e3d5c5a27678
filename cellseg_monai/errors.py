"""The errors that callers catch by type, or that carry data.

Every message says what the program got, what it expected, and what to do next.
"""

from __future__ import annotations

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
]


class UnreadableImageError(ValueError):
    """An image file that cannot be read.

    Args:
        path: the file.
        reason: what is wrong with it, in a few words.
        remedy: what the user can do about it.

    >>> print(UnreadableImageError("a.tif", "the file is empty", "copy it again"))
    a.tif: the file is empty; copy it again
    """

    def __init__(self, path: str | PathLike[str], reason: str, remedy: str) -> None:
        super().__init__(f"{fspath(path)}: {reason}; {remedy}")
        self.path, self.reason, self.remedy = fspath(path), reason, remedy

    def __reduce__(self) -> tuple:
        # Data-loading workers pickle errors: by default only the joined message would be passed to __init__.
        return type(self), (self.path, self.reason, self.remedy)


class DatasetError(ValueError):
    """A data set that cannot be used as it is; the message lists every fault found."""


class FetchError(OSError):
    """A file that could not be fetched completely; the message says how far it got and what the user can do."""


class ArchiveError(ValueError):
    """A file that is not an archive, is broken, or would be unpacked to a place outside the target."""


class ArchiveTooLargeError(ArchiveError):
    """An archive that exceeds the limits, which the user can raise."""


class BundleError(ValueError):
    """A bundle that is incomplete, or lacks what was asked of it."""


class BlockError(OSError):
    """A part of an image that failed on a cluster; the message says which part, and why."""


OF_AN_IMAGE = (ValueError, OSError, MemoryError)
"""Errors that can be the fault of one image, which is then skipped; any other error is a bug in this program."""


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written or read, or from which training cannot continue."""


class TrainingError(RuntimeError):
    """A training that cannot continue."""
