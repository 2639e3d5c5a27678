"""Test-time augmentation: a network asked about an image turned and mirrored in all ways."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cellseg_monai.inference.tiled import Network

__all__ = ["over_symmetries"]


def over_symmetries(network: Network, votes: Callable[[np.ndarray], np.ndarray] | None = None) -> Network:
    """A network that answers the mean of what another says of the eight symmetric views of an image.

    Microscopes know no up or left; that a network does is noise, which the mean takes away, for eight times the work.

    Args:
        network: B×C×Y×X to B×K×Y×X.
        votes: K×Y×X logits to a mask, bool Y×X; if given, another channel follows the logits: the share of the views
            for which it is true.

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
                    masks = np.stack([votes(each) for each in logits])[:, np.newaxis]
                    logits = np.concatenate([logits, masks.astype(logits.dtype)], axis=1)
                total = total + np.rot90(logits[..., ::-1] if mirrored else logits, -turns, axes=(2, 3))
        return np.asarray(total, np.float32) / 8

    return answer
