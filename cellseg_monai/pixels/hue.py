"""Telling colour images that are a grey image in a colour, such as fluorescence shown in blue."""

from __future__ import annotations

import numpy as np

__all__ = ["brightest_channel_of_one_hue"]

# Largest deviation of a channel from a multiple of the brightest one, as a fraction of the range of the brightest.
# Rounding and JPEG cause deviations of this size.
_SAME_HUE = 0.06
_DARK = 0.25  # highest level of the background, as a fraction of the brightest value


def brightest_channel_of_one_hue(colours: np.ndarray) -> int | None:
    """Return the brightest channel of a colour image that has shades of a single hue on black, otherwise None.

    Microscope programs save fluorescence like this: one channel, in the colour of a look-up table. The other channels
    repeat it or are empty, and the luma of a blue image would keep a tenth of its range.

    Args:
        colours: 3×N or 3×Y×X, red, green and blue.

    Returns:
        0, 1 or 2; None if the image is grey, that is, if its channels are equal.

    >>> light = np.linspace(0, 6, 50) ** 3
    >>> brightest_channel_of_one_hue(np.stack([0 * light, 0.5 * light, light]))
    2
    >>> brightest_channel_of_one_hue(np.stack([light, light, light])) is None
    True
    """
    values: np.ndarray = colours.reshape(3, -1).astype(np.float64)
    best = int(np.argmax(np.percentile(values, 99.5, axis=1)))
    light = values[best]
    top = float(np.percentile(light, 99.5))
    if top <= 0 or float(np.median(light)) > _DARK * top or (values == light).all():
        return None
    for other in np.delete(values, best, axis=0):
        share = float(other @ light / (light @ light))
        if np.percentile(np.abs(other - share * light), 99.5) > _SAME_HUE * top:
            return None
    return best
