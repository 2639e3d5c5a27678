"""Looking at an image with a trained network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cellseg_monai.pixels import brightest_channel_of_one_hue, select_channels
from cellseg_monai.pixels.normalise import check_finite
from cellseg_monai.scouting.certainty import AS_IT_IS, Certainty
from cellseg_monai.scouting.sighting import Sighting, sighting_of
from cellseg_monai.scouting.views import Read, is_flat, is_tiny, views_of

__all__ = ["Scout", "visible_channels"]

_HUE_ROWS = 16  # rows of an image that tell its hue


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
            channels: names or numbers of the channels to look at, see `visible_channels`; None for the light of a grey
                or colour image. Of a colour image with shades of one hue on black, the brightest channel is looked at,
                as if it were grey.

        Raises:
            ValueError: the image contains NaN where the scout looks, or values for which the network has no answer; or
                it has several channels that are not red, green and blue, and `channels` is None.
        """
        channel = _channel_of_one_hue(read, shape, channel_names, channels)
        looked_at = channels if channel is None else (channel,)

        def visible(rows: slice, columns: slice) -> np.ndarray:
            seen = visible_channels(read(rows, columns), channel_names, looked_at)
            if seen.dtype.kind == "f":
                for values in seen:
                    check_finite(values)
            return seen

        views = views_of(visible, shape)
        answers = self.network(np.stack([view.pixels for view in views]))
        if not np.isfinite(answers).all():
            raise ValueError(
                "the scout has no finite answer about this image; save it as another type, such as uint16 or float32"
            )
        sighting = sighting_of(answers, [view.factor for view in views], self.certainty)
        sighting = replace(sighting, channel=channel)
        return sighting.as_none() if is_tiny(views) or is_flat(views) else sighting


def _channel_of_one_hue(
    read: Read, shape: tuple[int, int], channel_names: Sequence[str], channels: str | Sequence[str | int] | None
) -> str | None:
    """Return the name of the channel that holds the light of a colour image with a single hue, otherwise None."""
    if channels is not None and not isinstance(channels, str):
        return None
    rows = np.unique(np.linspace(0, shape[0] - 1, _HUE_ROWS).astype(int)).tolist()
    sampled = [visible_channels(read(slice(row, row + 1), slice(0, shape[1])), channel_names) for row in rows]
    if len(sampled[0]) != 3:
        return None
    best = brightest_channel_of_one_hue(np.concatenate(sampled, axis=1))
    return None if best is None else channel_names[best]


def visible_channels(
    pixels: np.ndarray, channel_names: Sequence[str] = (), channels: str | Sequence[str | int] | None = None
) -> np.ndarray:
    """Return the channels at which a scout looks: one, or red, green and blue.

    Args:
        pixels: C×Y×X.
        channel_names: one name per channel, or empty.
        channels: names or numbers of channels. Three are taken as red, green and blue; of any other number, only the
            first is looked at. None or a policy, such as "grey", stands for the light of a grey or colour image.

    Raises:
        ValueError: the image has several channels that are not red, green and blue, and `channels` is None.

    >>> visible_channels(np.zeros((2, 4, 4)), ["DAPI", "actin"], ["actin"]).shape
    (1, 4, 4)
    """
    if channels is not None and not isinstance(channels, str):
        selected = select_channels(pixels, channels, channel_names=channel_names)
        return selected if len(selected) == 3 else selected[:1]
    if len(pixels) == 1:
        return pixels
    colours = select_channels(pixels, "rgb", channel_names=channel_names)
    return colours if len(pixels) > 2 else colours[:1]
