"""Whether features tell images apart, without labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["same_image_share"]


def same_image_share(features: np.ndarray, sources: Sequence[str]) -> float:
    """Return the share of crops whose nearest neighbour is another crop of the same image.

    Crops of one image show the same cells under the same light, so features that describe what an image shows place
    them near each other. The distance is the cosine, after subtracting the mean of all crops.

    Args:
        features: N×F, a row for each crop.
        sources: the image of each crop.

    Returns:
        The share among crops whose image has at least one other crop; NaN if there are none, or only one image.

    >>> features = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
    >>> same_image_share(features, ["a", "a", "b", "b"]), same_image_share(features, ["a", "b", "a", "b"])
    (1.0, 0.0)
    """
    names = np.asarray(sources)
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    directions = np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 0)
    similarity = directions @ directions.T
    np.fill_diagonal(similarity, -np.inf)
    is_same = names[:, np.newaxis] == names
    has_partner = is_same.sum(axis=1) > 1
    if not has_partner.any() or len(set(names.tolist())) < 2:
        return float("nan")
    nearest = similarity.argmax(axis=1)
    return float((names[nearest] == names)[has_partner].mean())
