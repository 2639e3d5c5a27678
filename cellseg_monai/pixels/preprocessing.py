"""Preprocessing settings, and `prepare`, which applies them to an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import NamedTuple

import numpy as np

from cellseg_monai.pixels.channels import check_policy, inverted, select_channels
from cellseg_monai.pixels.margin_search import find_margins
from cellseg_monai.pixels.normalise import check_percentiles, highest_contrast, normalise_and_measure
from cellseg_monai.pixels.scale import (
    check_zoom,
    rescale,
    rescaled_shape,
    shape_of_shorter_side,
    zoom_for_objects,
    zoomed_shape,
)
from cellseg_monai.settings import read_settings, write_settings

__all__ = ["Prepared", "Preprocessing", "network_scale", "prepare", "prepare_and_measure", "prepared_shape"]

_OPTIONAL_NUMBERS = ("pixel_size_um", "zoom", "diameter_px")
_POLARITIES = ("any", "bright")
_SCALES = ("pixel_size_um", "shorter_side_px", "zoom")


@dataclass(frozen=True)
class Preprocessing:
    """Settings for preparing images, stored in a bundle's `configs/preprocess.json`.

    At most one of `pixel_size_um`, `shorter_side_px` and `zoom` can be set. If all three are None, images keep their
    size. `diameter_px` and `polarity` say what the network expects; `for_objects` turns them into the zoom and the
    inversion that suit one image.

    Args:
        channels: "grey", "rgb", or channel names or indices; see `select_channels`.
        lower_percentile: percentile that becomes 0; see `normalise_percentiles`.
        upper_percentile: percentile that becomes 1; see `normalise_percentiles`.
        clip: True to limit values to [0, 1].
        noise_floor: smallest intensity range that is scaled to [0, 1], as a multiple of the noise. The limit keeps
            empty fields dark; 0 means no limit.
        pixel_size_um: pixel size on which the network was trained, in µm. Images are resampled to this size.
        shorter_side_px: length in pixels to which the shorter side of every image is scaled, whatever the pixel size,
            as in some published pipelines.
        zoom: factor by which every image is enlarged, so that objects have the size on which the network was trained.
        diameter_px: diameter of the objects on which the network was trained, in pixels of the network; None if it was
            trained on images at their own size.
        polarity: "bright" if the network expects objects that are brighter than their surroundings; "any" if it takes
            images as they are.
        invert: True to turn dark into bright before anything else is done.

    >>> Preprocessing(channels=["DAPI", "actin"]).channel_count
    2
    """

    channels: str | tuple[str | int, ...] = "grey"
    lower_percentile: float = 0.1
    upper_percentile: float = 99.9
    clip: bool = True
    noise_floor: float = 30.0
    pixel_size_um: float | None = None
    shorter_side_px: int | None = None
    zoom: float | None = None
    diameter_px: float | None = None
    polarity: str = "any"
    invert: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", check_policy(self.channels))
        for name in ("lower_percentile", "upper_percentile", "noise_floor", *_OPTIONAL_NUMBERS):
            value = getattr(self, name)
            if type(value) not in (int, float) and not (name in _OPTIONAL_NUMBERS and value is None):
                raise ValueError(f"got {name}={value!r}, expected a number; change the value")
            if type(value) is int and abs(value) >= 2**63:
                raise ValueError(f"got {name}={value!r:.50}, expected a smaller number; change the value")
        check_percentiles(self.lower_percentile, self.upper_percentile)
        if not 0 <= self.noise_floor < np.inf:
            raise ValueError(f"got noise_floor={self.noise_floor}, expected a non-negative number; pass 0 for no limit")
        for name in ("clip", "invert"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"got {name}={getattr(self, name)!r}, expected true or false; choose one")
        if self.polarity not in _POLARITIES:
            raise ValueError(f"got polarity={self.polarity!r}, expected 'any' or 'bright'; choose one")
        if self.pixel_size_um is not None and not 0 < self.pixel_size_um < np.inf:
            raise ValueError(
                f"got pixel_size_um={self.pixel_size_um}, expected a positive number of µm per pixel; "
                "set it to null to keep the pixel size of each image"
            )
        if self.shorter_side_px is not None and (
            type(self.shorter_side_px) is not int or not 0 < self.shorter_side_px < 2**31
        ):
            raise ValueError(
                f"got shorter_side_px={self.shorter_side_px!r}, expected a positive whole number of pixels; "
                "set it to null to keep the size of each image"
            )
        if self.diameter_px is not None and not 0 < self.diameter_px < np.inf:
            raise ValueError(
                f"got diameter_px={self.diameter_px}, expected a positive number of pixels; set it to null for a "
                "network that was trained on images at their own size"
            )
        if self.zoom is not None:
            check_zoom(self.zoom)
        scales = [f"{name}={getattr(self, name)}" for name in _SCALES if getattr(self, name) is not None]
        if len(scales) > 1:
            raise ValueError(f"got {' and '.join(scales)}, expected at most one of these; set the others to null")

    @property
    def channel_count(self) -> int:
        """Number of channels in a prepared image, which is the number of input channels of the network."""
        if isinstance(self.channels, str):
            return {"grey": 1, "rgb": 3}[self.channels]
        return len(self.channels)

    def at_zoom(self, zoom: float | None) -> Preprocessing:
        """Return a copy of these settings with `zoom` in place of any other scale.

        Args:
            zoom: factor by which every image is enlarged; None to keep the size of each image.

        >>> Preprocessing(pixel_size_um=0.5).at_zoom(2).zoom
        2
        """
        return replace(self, pixel_size_um=None, shorter_side_px=None, zoom=zoom)

    def for_objects(self, diameter_px: float | None, *, dark: bool = False) -> Preprocessing:
        """Return a copy of these settings for an image whose objects are known; see `scale.zoom_for_objects`.

        Args:
            diameter_px: typical diameter of the objects, in pixels of the image; None or NaN to keep its size.
            dark: True if the objects are darker than their surroundings.

        Raises:
            ValueError: a diameter is given, but these settings do not say at which diameter the network was trained;
                or the two differ by more than a factor of 20.

        >>> Preprocessing(diameter_px=28, polarity="bright").for_objects(56, dark=True).zoom
        0.5
        """
        invert = self.invert ^ (dark and self.polarity == "bright")
        if diameter_px is None or math.isnan(diameter_px):
            return replace(self, invert=invert)
        if self.diameter_px is None:
            raise ValueError(
                f"got objects of {diameter_px:g} pixels in diameter for a network that was trained on images at their "
                "own size; leave out the diameter"
            )
        zoom = zoom_for_objects(diameter_px, self.diameter_px)
        try:
            return replace(self.at_zoom(zoom), invert=invert)
        except ValueError as error:
            raise ValueError(
                f"got objects of {diameter_px:g} pixels in diameter for a network that was trained on objects of "
                f"{self.diameter_px:g} pixels, expected a diameter within a factor of 20; check its unit"
            ) from error

    @classmethod
    def from_json(cls, path: str | PathLike[str]) -> Preprocessing:
        """Read settings from a `preprocess.json` file.

        Raises:
            BundleError: the file is missing, or contains an unknown setting or an invalid value.
        """
        return read_settings(cls, path)

    def to_json(self, path: str | PathLike[str]) -> None:
        """Write these settings as JSON that `from_json` reads back unchanged."""
        write_settings(self, path)


class Prepared(NamedTuple):
    """An image that is ready for the network.

    Args:
        pixels: CYX float32, at the scale of the network.
        contrast: the highest contrast among the channels; see `contrast_over_noise`. NaN without a noise floor.
        missing: YX bool at the scale of the network, True where the image has no data; None if it has data everywhere.
    """

    pixels: np.ndarray
    contrast: float
    missing: np.ndarray | None


def prepare(
    pixels: np.ndarray,
    settings: Preprocessing,
    *,
    channel_names: Sequence[str] = (),
    pixel_size_um: tuple[float, float] | None = None,
) -> np.ndarray:
    """Prepare an image for a network: select channels, normalise intensities and resample.

    Percentiles are computed before resampling, from the measured pixel values. A margin without data (see
    `margin_search.find_margins`) does not count, and becomes 0.

    Args:
        pixels: CYX, a whole image, never a crop.
        settings: preprocessing settings of the bundle.
        channel_names: channel names, if the image has any.
        pixel_size_um: (y, x) pixel size of the image in µm, if known.

    Returns:
        CYX float32.

    Raises:
        ValueError: the image lacks a channel or a pixel size that the settings require, or contains NaN.

    >>> prepare(np.array([[[0, 50], [100, 100]]], np.uint8), Preprocessing(lower_percentile=0))[0]
    array([[0. , 0.5],
           [1. , 1. ]], dtype=float32)
    """
    return prepare_and_measure(pixels, settings, channel_names=channel_names, pixel_size_um=pixel_size_um).pixels


def prepare_and_measure(
    pixels: np.ndarray,
    settings: Preprocessing,
    *,
    channel_names: Sequence[str] = (),
    pixel_size_um: tuple[float, float] | None = None,
) -> Prepared:
    """Prepare an image like `prepare`, and also return what is known about it by then."""
    chosen = select_channels(pixels, settings.channels, channel_names=channel_names)
    if settings.invert:
        chosen = inverted(chosen)
    whole = slice(0, chosen.shape[1]), slice(0, chosen.shape[2])
    margins = find_margins(lambda rows, columns: chosen[:, rows, columns], chosen.shape[1:])
    box = whole
    if margins is not None:
        box, chosen = margins.box, margins.filled(chosen, *whole)
    part, ranges = normalise_and_measure(
        chosen[:, box[0], box[1]],
        settings.lower_percentile,
        settings.upper_percentile,
        clip=settings.clip,
        noise_floor=settings.noise_floor,
    )
    shape = (chosen.shape[1], chosen.shape[2])
    to = prepared_shape(shape, settings, pixel_size_um=pixel_size_um)
    normalised, missing = part, None
    if margins is not None:
        normalised = np.zeros(chosen.shape, np.float32)
        normalised[:, box[0], box[1]] = part
        normalised[:, margins(*whole)] = 0
        missing = margins.resampled(to)(slice(0, to[0]), slice(0, to[1]))
    return Prepared(rescale(normalised, to), highest_contrast(ranges), missing)


def prepared_shape(
    shape: tuple[int, int], settings: Preprocessing, *, pixel_size_um: tuple[float, float] | None = None
) -> tuple[int, int]:
    """Return the shape of an image after `prepare`, which is the shape that the network sees.

    Args:
        shape: (Y, X) of the image.
        settings: preprocessing settings of the bundle.
        pixel_size_um: (y, x) pixel size of the image in µm, if known.

    Raises:
        ValueError: the image lacks the pixel size that the settings require.

    >>> prepared_shape((100, 200), Preprocessing(pixel_size_um=0.5), pixel_size_um=(0.25, 0.25))
    (50, 100)
    """
    if settings.zoom is not None:
        return zoomed_shape(shape, settings.zoom)
    if settings.shorter_side_px is not None:
        return shape_of_shorter_side(shape, settings.shorter_side_px)
    if settings.pixel_size_um is None:
        return shape
    if pixel_size_um is None:
        raise ValueError(
            f"the pixel size of the image is unknown, but the network expects {settings.pixel_size_um} µm per pixel; "
            "pass it as pixel_size_um, or on the command line such as --pixel_size 0.5"
        )
    return rescaled_shape(shape, pixel_size_um=pixel_size_um, target_um=settings.pixel_size_um)


def network_scale(
    shape: tuple[int, int], settings: Preprocessing, *, pixel_size_um: tuple[float, float] | None = None
) -> float:
    """Return the factor by which `prepare` enlarges the lengths of objects.

    If the two axes are scaled differently, this is the factor for the diameter of a disc with the same area.

    Args:
        shape: (Y, X) of the image.
        settings: preprocessing settings of the bundle.
        pixel_size_um: (y, x) pixel size of the image in µm, if known.

    Raises:
        ValueError: the image lacks the pixel size that the settings require.

    >>> network_scale((100, 200), Preprocessing(pixel_size_um=0.5), pixel_size_um=(0.25, 0.25))
    0.5
    """
    height, width = prepared_shape(shape, settings, pixel_size_um=pixel_size_um)
    return math.sqrt(height * width / (shape[0] * shape[1]))
