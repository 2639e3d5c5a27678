"""Layout of black-and-white masks, such as those of HeLa cells in bright field (Ghaznavi et al.)."""

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
            work.label, "a mask in colours", "expected black and white; if colours are ids, pass --layout colour_labels"
        )
    # The threshold is half of the brightest value: it suits 0 and 1, 0 and 255, and the greys of a JPEG.
    highest = int(channels.max(initial=0))
    white, between = channels[0] > highest / 2, (channels[0] > 0) & (channels[0] < highest)
    greys = channels[0][between]
    middle = np.count_nonzero((greys > highest / 8) & (greys < highest * 7 / 8))
    # Refuse a nearly black mask, such as an empty one as JPEG, and one of many greys rather than two smoothed values.
    if greys.size and (highest < _WHITE / 2 or middle > np.count_nonzero(white)):
        raise UnreadableImageError(
            work.label,
            f"a mask of {len(np.unique(greys)) + 1} greys up to {highest}",
            "expected black and white; if greys are ids, pass --layout colour_labels",
        )
    pieces = pieces_of(white, background=0, connectivity=2)
    return pieces, {"grey_pixels_thresholded": greys.size} if greys.size else {}


BINARY_MASKS = Preparer(
    name="binary_masks",
    summary="images/ and masks/ of the same stem, white for objects; or pairs of folders such as spilit_x_image_train "
    "and spilit_y_mask_train (HeLa bright field)",
    rule="Objects are the 8-connected pieces of white. Such masks do not separate touching cells, which are therefore "
    "one object here. Scores of single objects on them mean little; scores of the foreground are valid.",
    recognises=_recognises,
    find=_find,
    labels=_labels,
)
