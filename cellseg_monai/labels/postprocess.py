"""Probabilities turned into labelled objects: the one way, with settings out of the bundle."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike

import numpy as np
from scipy import ndimage

from cellseg_monai.labels.probabilities import check_probabilities
from cellseg_monai.settings import read_settings, write_settings

__all__ = ["Postprocessing", "foreground_mask", "label_objects"]


@dataclass(frozen=True)
class Postprocessing:
    """How a bundle makes objects of probabilities, as kept in its `configs/postprocess.json`.

    Args:
        threshold: a pixel is foreground if its probability is greater, not equal.
        min_area_px: objects of fewer pixels are dropped; counted in the frame of the network, so that
            the size meant stays the same whatever the pixel size of the image.
        fill_holes: background enclosed by foreground becomes foreground, whatever its size; set it to
            false where cells form closed rings around free space.

    >>> Postprocessing(threshold=0.4).min_area_px
    16
    """

    threshold: float = 0.5
    min_area_px: int = 16
    fill_holes: bool = True

    def __post_init__(self) -> None:
        if type(self.threshold) not in (int, float) or not 0 <= self.threshold < 1:
            raise ValueError(
                f"threshold={self.threshold!r} came, but a number from 0 to below 1 was expected; "
                "give a probability, such as 0.5"
            )
        if type(self.min_area_px) is not int or self.min_area_px < 0:
            raise ValueError(
                f"min_area_px={self.min_area_px!r} came, but a whole number of pixels from 0 was expected; "
                "0 keeps every object"
            )
        if not isinstance(self.fill_holes, bool):
            raise ValueError(f"fill_holes={self.fill_holes!r} came, but true or false was expected; correct it")

    @classmethod
    def from_json(cls, path: str | PathLike[str]) -> Postprocessing:
        """The settings in a `postprocess.json`.

        Raises:
            BundleError: the file is missing, or holds an unknown name or a refused value.
        """
        return read_settings(cls, path)

    def to_json(self, path: str | PathLike[str]) -> None:
        """Write these settings to a file that `from_json` reads back equal."""
        write_settings(self, path)


def foreground_mask(probabilities: np.ndarray, settings: Postprocessing) -> np.ndarray:
    """Where the probability exceeds the threshold, strictly.

    Args:
        probabilities: floats in [0, 1], any shape, such as YX.
        settings: of these, the threshold.

    Returns:
        bool of the shape of `probabilities`.

    Raises:
        ValueError: NaN or values outside [0, 1], as logits are.

    >>> foreground_mask(np.array([[0.2, 0.5, 0.9]]), Postprocessing(threshold=0.5))
    array([[False, False,  True]])
    """
    check_probabilities(probabilities)
    return np.asarray(probabilities > settings.threshold)


def label_objects(probabilities: np.ndarray, settings: Postprocessing) -> np.ndarray:
    """Objects: foreground, holes filled, split into connected pieces, small ones dropped.

    Pixels that touch by a corner only belong to different objects (4-connectivity): of two cells that
    touch, fewer are merged so.

    Args:
        probabilities: YX floats in [0, 1].
        settings: threshold, holes, smallest area.

    Returns:
        YX int32, ids 1 to n without gaps in the order of each object's first pixel, 0 is background.

    Raises:
        ValueError: not YX, NaN, or values outside [0, 1].

    >>> label_objects(np.array([[0.9, 0.9, 0.0, 0.6, 0.0, 0.7, 0.8]]), Postprocessing(min_area_px=2))
    array([[1, 1, 0, 0, 0, 2, 2]], dtype=int32)
    """
    if probabilities.ndim != 2:
        raise ValueError(
            f"probabilities of shape {probabilities.shape} came, but (Y, X) was expected; take one channel of one image"
        )
    mask = foreground_mask(probabilities, settings)
    if settings.fill_holes:
        mask = _without_holes(mask)
    pieces, _ = ndimage.label(mask)
    kept = np.bincount(pieces.ravel()) >= max(settings.min_area_px, 1)
    kept[:1] = False
    numbers = np.cumsum(kept, dtype=np.int32) * kept
    return numbers[pieces].astype(np.int32, copy=False)


def _without_holes(mask: np.ndarray) -> np.ndarray:
    """`scipy.ndimage.binary_fill_holes`, faster: one labelling of the background for its many dilations."""
    pieces, count = ndimage.label(~mask)
    outside: np.ndarray = np.zeros(count + 1, bool)
    for border in (pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]):
        outside[border] = True
    outside[0] = False
    return ~outside[pieces]
