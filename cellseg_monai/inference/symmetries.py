"""Test-time augmentation: the mean of a network over all rotations and reflections of an image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cellseg_monai.inference.tiled import Network

__all__ = ["over_symmetries"]


def over_symmetries(network: Network, votes: Callable[[np.ndarray], np.ndarray] | None = None) -> Network:
    """Return a network that averages another over the eight symmetric views of an image.

    Microscope images have no preferred direction. Where a network prefers one, that is noise, which the mean reduces
    for eight times the work.

    Args:
        network: B×C×Y×X to B×K×Y×X.
        votes: K×Y×X logits to a mask, bool Y×X. If given, one more channel follows the logits: the share of the views
            for which the mask is true.

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
