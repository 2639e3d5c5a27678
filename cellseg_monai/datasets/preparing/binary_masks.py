"""Layout with black-and-white masks, such as the bright-field HeLa set (Ghaznavi et al.)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cellseg_monai.datasets.preparing.label_pixels import mask_channels
from cellseg_monai.datasets.preparing.masks_folder import first_masks, is_two_valued, mask_parts
from cellseg_monai.datasets.preparing.pairs import pair_parts
from cellseg_monai.datasets.preparing.preparer import Notes, Preparer, RawContent, Work
from cellseg_monai.datasets.preparing.raw_folder import subfolder, top_folder
from cellseg_monai.errors import UnreadableImageError

__all__ = ["BINARY_MASKS"]

_WHITE = 255


def _recognises(raw: Path) -> bool:
    masks = first_masks(mask_parts(raw))
    return bool(masks) and subfolder(top_folder(raw), "metadata") is None and all(map(is_two_valued, masks))


def _find(raw: Path) -> RawContent:
    return pair_parts(raw, mask_parts(raw))


def _labels(work: Work, shape: tuple[int, int]) -> tuple[np.ndarray, Notes]:
    from skimage.measure import label as pieces_of  # slow to import, and only workers need it

    channels = mask_channels(work.label, shape, exact=False)
    if (channels != channels[:1]).any():
        raise UnreadableImageError(
            work.label,
            "got a coloured mask, expected black and white",
            "if the colours are ids, pass --layout colour_labels",
        )
    # Half the brightest value is a suitable threshold for 0 and 1, for 0 and 255, and for the grey levels in a JPEG.
    highest = int(channels.max(initial=0))
    white, between = channels[0] > highest / 2, (channels[0] > 0) & (channels[0] < highest)
    greys = channels[0][between]
    middle = np.count_nonzero((greys > highest / 8) & (greys < highest * 7 / 8))
    # Reject masks that are nearly black, such as an empty mask saved as JPEG, and masks with many true grey levels
    # rather than two values blurred by compression.
    if greys.size and (highest < _WHITE / 2 or middle > np.count_nonzero(white)):
        raise UnreadableImageError(
            work.label,
            f"got a mask with {len(np.unique(greys)) + 1} grey levels up to {highest}, expected black and white",
            "if the grey levels are ids, pass --layout colour_labels",
        )
    pieces = pieces_of(white, background=0, connectivity=2)
    return pieces, {"grey_pixels_thresholded": greys.size} if greys.size else {}


BINARY_MASKS = Preparer(
    name="binary_masks",
    summary="images/ and masks/ with matching stems, objects in white; or pairs of folders such as "
    "spilit_x_image_train and spilit_y_mask_train (HeLa bright field)",
    rule="Objects are the 8-connected white regions. Touching cells, which these masks do not separate, become one "
    "object. Object scores mean little on this data set; foreground scores are valid.",
    recognises=_recognises,
    find=_find,
    labels=_labels,
)
