"""Looking at an image with a trained network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cellseg_monai.pixels import select_channels
from cellseg_monai.pixels.normalise import check_finite
from cellseg_monai.scouting.certainty import AS_IT_IS, Certainty
from cellseg_monai.scouting.sighting import Sighting, sighting_of
from cellseg_monai.scouting.views import Read, is_flat, is_tiny, views_of

__all__ = ["Scout", "visible_channels"]


@dataclass(frozen=True, eq=False)
class Scout:
    """A network that looks at images.

    Args:
        network: turns N×3×Y×X float32 views into N×K numbers; see `sighting.OUTPUTS`.
        version: version of the bundle.
        weights_sha256: SHA-256 of its weights.
        certainty: corrections of the network's certainty.
    """

    network: Callable[[np.ndarray], np.ndarray]
    version: str
    weights_sha256: str
    certainty: Certainty = AS_IT_IS

    def look(
        self,
        read: Read,
        shape: tuple[int, int],
        *,
        channel_names: Sequence[str] = (),
        channels: str | Sequence[str | int] | None = None,
    ) -> Sighting:
        """Return what an image shows.

        An image of which less than 32 pixels in height or width have data, or that consists of areas of a single value,
        shows none of the known kinds.

        Args:
            read: function that returns the C×Y×X pixels in the given rows and columns.
            shape: (Y, X) of the image.
            channel_names: one name per channel, or empty.
            channels: names or numbers of the channels to look at, of which the first is used; None for the light of a
                grey or colour image.

        Raises:
            ValueError: the image contains NaN where the scout looks; or it has several channels that are not red, green
                and blue, and `channels` is None.
        """

        def visible(rows: slice, columns: slice) -> np.ndarray:
            seen = visible_channels(read(rows, columns), channel_names, channels)
            if seen.dtype.kind == "f":
                for channel in seen:
                    check_finite(channel)
            return seen

        views = views_of(visible, shape)
        answers = self.network(np.stack([view.pixels for view in views]))
        sighting = sighting_of(answers, [view.factor for view in views], self.certainty)
        return sighting.as_none() if is_tiny(views) or is_flat(views) else sighting


def visible_channels(
    pixels: np.ndarray, channel_names: Sequence[str] = (), channels: str | Sequence[str | int] | None = None
) -> np.ndarray:
    """Return the channels at which a scout looks: one, or red, green and blue.

    Args:
        pixels: C×Y×X.
        channel_names: one name per channel, or empty.
        channels: see `Scout.look`.

    Raises:
        ValueError: the image has several channels that are not red, green and blue, and `channels` is None.

    >>> visible_channels(np.zeros((2, 4, 4)), ["DAPI", "actin"], ["actin"]).shape
    (1, 4, 4)
    """
    if channels is not None and not isinstance(channels, str):
        return select_channels(pixels, channels, channel_names=channel_names)[:1]
    if len(pixels) == 1:
        return pixels
    colours = select_channels(pixels, "rgb", channel_names=channel_names)
    return colours if len(pixels) > 2 else colours[:1]
