"""The errors that callers catch by type, or that carry data.

Every message says what came, what was expected, and what to do next.
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
    """An image file that cannot be read for what it is.

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
        # Pickled on the way out of a data-loading worker: the three parts, not the joined message.
        return type(self), (self.path, self.reason, self.remedy)


class DatasetError(ValueError):
    """A data set that cannot be used as it stands; the message lists every fault found."""


class FetchError(OSError):
    """A file that could not be fetched whole: what came of it, and what the user can do."""


class ArchiveError(ValueError):
    """An archive that is none, is broken, or would write where it must not."""


class ArchiveTooLargeError(ArchiveError):
    """An archive beyond the limits, which the user may raise."""


class BundleError(ValueError):
    """A bundle that is incomplete, or is asked for something that it does not have."""


class BlockError(OSError):
    """A part of an image whose work failed on a cluster: which part, and why."""


OF_AN_IMAGE = (ValueError, OSError, MemoryError)
"""Errors that may be of one image among many, which are done without it; any other is a fault of this program."""


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written, read or continued from."""


class TrainingError(RuntimeError):
    """A training that cannot go on."""
