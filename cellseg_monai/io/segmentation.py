"""What exports are made of: an image's objects, with what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # its imports take longer than this whole package's
    from cellseg_monai.labels import LabelArray, ObjectTable

__all__ = ["Segmentation"]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The objects of an image.

    Args:
        labels: YX ids of any integer dtype, 0 is background; a numpy array, or anything that gives one when it is
            sliced, such as a zarr array.
        table: as `labels.measure_objects` gives it of these labels.
        image_name: the name of the image file.
        image: CYX as measured, sliced likewise; for exports that show it.
        channel_names: one a channel, or none.
        pixel_size_um: height and width of a pixel.
    """

    labels: LabelArray
    table: ObjectTable
    image_name: str
    image: Any = None
    channel_names: Sequence[str] = ()
    pixel_size_um: tuple[float, float] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Y and X."""
        height, width = self.labels.shape
        return int(height), int(width)
