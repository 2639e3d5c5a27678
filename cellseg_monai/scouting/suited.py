"""How a bundle prepares an image, given what a scout sees in the image."""

from __future__ import annotations

from dataclasses import replace

from cellseg_monai.pixels import Preprocessing
from cellseg_monai.pixels.scale import within_reach
from cellseg_monai.scouting.doubts import is_unsure_of_size
from cellseg_monai.scouting.sighting import Sighting

__all__ = ["of_channel", "suited", "takes_size", "tries_sizes"]


def suited(
    preprocess: Preprocessing, sighting: Sighting, diameter: float | str = "auto", polarity: str = "auto"
) -> Preprocessing:
    """Return the preparation of an image at the scale and with the polarity that suit it.

    Args:
        preprocess: preparation that the bundle records. One without a diameter keeps the scale that it has.
        sighting: what a scout sees in the image.
        diameter: diameter of the objects in pixels; "auto" to take what the scout sees, or "none" to keep the size of
            the image.
        polarity: "bright" or "dark", for objects that are brighter or darker than their surroundings; "auto" to take
            what the scout sees.
    """
    trained_px, diameter_px = preprocess.diameter_px, None
    if trained_px is not None and isinstance(diameter, float):
        diameter_px = diameter
    elif trained_px is not None and takes_size(preprocess, diameter):
        diameter_px = within_reach(sighting.diameter_px, trained_px)
    is_dark = sighting.is_dark if polarity == "auto" else polarity == "dark"
    return of_channel(preprocess.for_objects(diameter_px, dark=is_dark), sighting.channel)


def of_channel(preprocess: Preprocessing, channel: str | None) -> Preprocessing:
    """Return the preparation of an image of which only one channel counts, for a network that takes grey images."""
    return preprocess if channel is None or preprocess.channels != "grey" else replace(preprocess, channels=(channel,))


def takes_size(preprocess: Preprocessing, diameter: float | str = "auto") -> bool:
    """Return True if the size of the objects that a scout sees decides the scale of an image; see `suited`."""
    return diameter == "auto" and preprocess.diameter_px is not None


def tries_sizes(preprocess: Preprocessing, sighting: Sighting, diameter: float | str = "auto") -> bool:
    """Return True if a few sizes are tried on a window of the image, because the scout is unsure; see `suited`."""
    return takes_size(preprocess, diameter) and is_unsure_of_size(sighting)
