"""Test-time augmentation: averaging a network's output over rotations and reflections of the image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cellseg_monai.inference.tiled import Network

__all__ = ["over_symmetries"]


def over_symmetries(network: Network, votes: Callable[[np.ndarray], np.ndarray] | None = None) -> Network:
    """Return a network that averages the output of another network over the eight symmetric views of an image.

    Microscope images have no preferred direction, so any dependence of the output on direction is noise. Averaging
    reduces this noise, at eight times the cost.

    Args:
        network: function from B×C×Y×X to B×K×Y×X arrays.
        votes: function from K×Y×X logits to a Boolean Y×X mask. If given, the output has one more channel after the
            logits: the share of views in which the mask is true.

    >>> network = over_symmetries(lambda batch: np.cumsum(batch, axis=3))
    >>> network(np.ones((1, 1, 1, 3), np.float32)).tolist()
    [[[[1.5, 1.5, 1.5]]]]
    """

    def answer(batch: np.ndarray) -> np.ndarray:
        total: np.ndarray | float = 0.0
        for turns in range(4):
            for mirrored in (False, True):
                view = np.rot90(batch, turns, axes=(2, 3))
                logits = network(np.ascontiguousarray(view[..., ::-1] if mirrored else view))
                if votes is not None:
                    masks = np.stack([votes(view_logits) for view_logits in logits])[:, np.newaxis]
                    logits = np.concatenate([logits, masks.astype(logits.dtype)], axis=1)
                total = total + np.rot90(logits[..., ::-1] if mirrored else logits, -turns, axes=(2, 3))
        return np.asarray(total, np.float32) / 8

    return answer
