"""The states of a plane on its way through a job."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cellseg_monai.exports import Segmentation
from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.inference.outcomes import Failed, failed_by
from cellseg_monai.inference.plane import Plane
from cellseg_monai.inference.results import ImageResults

__all__ = ["Broken", "Dropped", "Ready", "Segmented", "TooLarge"]


@dataclass(frozen=True, eq=False)
class Ready:
    """A plane that was read and prepared for the network.

    Args:
        results: of its image.
        place: of the plane along the axes before C, Y, X.
        plane: the pixels.
    """

    results: ImageResults
    place: tuple[int, ...]
    plane: Plane

    @property
    def size_px(self) -> int:
        """Pixels that are held: those of the file or those that the network sees, whichever are more."""
        return max(math.prod(pixels.shape[1:]) for pixels in (self.plane.pixels, self.plane.prepared))


@dataclass(frozen=True, eq=False)
class TooLarge:
    """A plane that is not read as a whole but window by window.

    Args:
        results: of its image.
        place: of the plane along the axes before C, Y, X.
    """

    results: ImageResults
    place: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Segmented:
    """A plane whose objects are known but not written.

    Args:
        results: of its image.
        place: of the plane along the axes before C, Y, X.
        segmentation: its objects.
    """

    results: ImageResults
    place: tuple[int, ...]
    segmentation: Segmentation


@dataclass(frozen=True, eq=False)
class Broken:
    """A plane, or an image that could not be opened, whose error ends its image.

    Args:
        file: the image file.
        error: why.
        results: of the image; None if it was not opened.
    """

    file: ImageFile
    error: Exception
    results: ImageResults | None

    size_px = 0

    def outcome(self) -> Failed | None:
        """End the image; None if another plane has ended it before."""
        if self.results is None:
            return failed_by(self.file, self.error)
        return None if self.results.is_abandoned else self.results.fail(self.error)


@dataclass(frozen=True, eq=False)
class Dropped:
    """A plane of an image that another plane ended."""
