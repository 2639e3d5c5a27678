"""The classical way without learning: Otsu's threshold, and a watershed of the distance transform.

The typical diameter of the training objects sets the smoothing, the distance between seeds and the smallest area.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from peer import Pairs, Segment, median_diameter_px, run
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.morphology import remove_small_objects
from skimage.segmentation import watershed


def train(training: Pairs, validation: Pairs, model: Path, seconds: float) -> None:
    """Write the typical diameter of the training objects."""
    (model / "diameter.json").write_text(json.dumps(median_diameter_px(training)))


def load(model: Path) -> Segment:
    """Return the function that segments an image."""
    diameter = json.loads((model / "diameter.json").read_text())

    def segment(image: np.ndarray) -> np.ndarray:
        smooth = gaussian(image.astype(np.float64), diameter / 28, preserve_range=True)
        foreground = ndimage.binary_fill_holes(smooth > threshold_otsu(smooth))
        foreground = remove_small_objects(foreground, max_size=round((diameter / 5) ** 2))
        distance = gaussian(ndimage.distance_transform_edt(foreground), diameter / 14)
        regions, _ = ndimage.label(foreground)
        apart = max(2, round(diameter / 4))
        peaks = peak_local_max(distance, min_distance=apart, labels=regions, exclude_border=False)
        seeds: np.ndarray = np.zeros(image.shape, np.int32)
        seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
        return np.asarray(watershed(-distance, seeds, mask=foreground))

    return segment


if __name__ == "__main__":
    run(train, load)
