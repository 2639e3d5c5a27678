"""The states of a plane as a job processes it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cellseg_monai.exports import Segmentation
from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.inference.outcomes import Failed, failed_by
from cellseg_monai.inference.pipeline import Pipeline
from cellseg_monai.inference.plane import Plane
from cellseg_monai.inference.results import ImageResults

__all__ = ["Broken", "Dropped", "Ready", "Segmented", "TooLarge"]


@dataclass(frozen=True, eq=False)
class Ready:
    """A plane that has been read and prepared for the network.

    Args:
        results: result files of the image that the plane belongs to.
        place: index of the plane along each axis before C, Y and X.
        plane: the plane itself.
        pipeline: the pipeline chosen for the plane.
    """

    results: ImageResults
    place: tuple[int, ...]
    plane: Plane
    pipeline: Pipeline

    @property
    def size_px(self) -> int:
        """Number of pixels of the plane in the file or at the scale of the network, whichever is larger."""
        return max(math.prod(pixels.shape[1:]) for pixels in (self.plane.pixels, self.plane.prepared))


@dataclass(frozen=True, eq=False)
class TooLarge:
    """A plane that is too large for memory, so it is read window by window.

    Args:
        results: result files of the image that the plane belongs to.
        place: index of the plane along each axis before C, Y and X.
        pipeline: the pipeline chosen for the plane.
    """

    results: ImageResults
    place: tuple[int, ...]
    pipeline: Pipeline


@dataclass(frozen=True, eq=False)
class Segmented:
    """A plane that has been segmented, but whose objects have not been written yet.

    Args:
        results: result files of the image that the plane belongs to.
        place: index of the plane along each axis before C, Y and X.
        segmentation: the objects in the plane.
    """

    results: ImageResults
    place: tuple[int, ...]
    segmentation: Segmentation


@dataclass(frozen=True, eq=False)
class Broken:
    """A plane that failed, or an image that could not be opened; either way, the whole image fails.

    Args:
        file: the image file.
        error: the error that was raised.
        results: result files of the image; None if the image could not be opened.
    """

    file: ImageFile
    error: Exception
    results: ImageResults | None

    size_px = 0

    def outcome(self) -> Failed | None:
        """Mark the image as failed and return its outcome; return None if another plane has already failed."""
        if self.results is None:
            return failed_by(self.file, self.error)
        return None if self.results.is_abandoned else self.results.fail(self.error)


@dataclass(frozen=True, eq=False)
class Dropped:
    """A plane that was skipped because another plane of the same image had already failed."""
