"""What a network answers turned into probabilities."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

__all__ = ["boundary_probabilities", "check_probabilities", "foreground_probability"]


# So many are worked on at once, as processors hold them close by.
_BLOCK_PIXELS = 2**15


def check_probabilities(values: np.ndarray) -> None:
    """Refuse what cannot be probabilities.

    Args:
        values: floats, any shape.

    Raises:
        ValueError: NaN or values outside [0, 1], as logits are.
    """
    # Minimum and maximum are NaN if any value is.
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise ValueError(
            f"values from {values.min():.3g} to {values.max():.3g} came, but probabilities "
            "from 0 to 1 were expected; if these are logits, apply a sigmoid first"
        )


def foreground_probability(logits: np.ndarray) -> np.ndarray:
    """The probability that a pixel is foreground.

    Args:
        logits: CYX floats: one channel, the logit of the foreground (sigmoid), or two, the logits of background
            and foreground (softmax).

    Returns:
        1YX float32 in [0, 1].

    Raises:
        ValueError: another number of axes or channels.

    >>> foreground_probability(np.array([[[0.0]]])).tolist()
    [[[0.5]]]
    >>> foreground_probability(np.array([[[7.0]], [[7.0]]])).tolist()
    [[[0.5]]]
    """
    if logits.ndim != 3 or len(logits) not in (1, 2):
        raise ValueError(
            f"logits of shape {logits.shape} came, but (1, Y, X) or (2, Y, X) was expected: the foreground, "
            "or background and foreground"
        )
    logits = logits.astype(np.float32, copy=False)  # before a difference that float16 might not hold
    # A softmax over two is the sigmoid of their difference.
    return expit(logits if len(logits) == 1 else logits[1:] - logits[:1])


def boundary_probabilities(logits: np.ndarray) -> np.ndarray:
    """The probabilities that a pixel is foreground, and that it is a boundary between touching objects.

    Args:
        logits: CYX floats: three channels, the logits of background, interior and touching boundary (softmax), or
            two, those of the foreground, boundaries included, and of the touching boundary (a sigmoid each).

    Returns:
        2YX float32 in [0, 1]: foreground, boundaries included; touching boundary.

    Raises:
        ValueError: another number of axes or channels.

    >>> boundary_probabilities(np.zeros((3, 1, 1)))[:, 0, 0].round(3)
    array([0.667, 0.333], dtype=float32)
    >>> boundary_probabilities(np.zeros((2, 1, 1))).tolist()
    [[[0.5]], [[0.5]]]
    """
    if logits.ndim != 3 or len(logits) not in (2, 3):
        raise ValueError(
            f"logits of shape {logits.shape} came, but (3, Y, X) or (2, Y, X) was expected: background, interior and "
            "touching boundary, or foreground and touching boundary"
        )
    logits = logits.astype(np.float32, copy=False)
    if len(logits) == 2:
        return expit(logits)
    # A softmax, without arrays for what nobody asks for.
    probabilities: np.ndarray = np.empty((2, *logits.shape[1:]), np.float32)
    rows = max(1, _BLOCK_PIXELS // max(1, logits.shape[2]))
    for top in range(0, logits.shape[1], rows):
        part, (foreground, boundary) = logits[:, top : top + rows], probabilities[:, top : top + rows]
        whole = np.maximum(np.maximum(part[0], part[1]), part[2])
        shares = part - whole
        np.exp(shares, out=shares)
        np.add(shares[1], shares[2], out=foreground)
        np.add(shares[0], foreground, out=whole)
        np.divide(foreground, whole, out=foreground)
        np.divide(shares[2], whole, out=boundary)
    return probabilities
