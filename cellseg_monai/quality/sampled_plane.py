"""Measures of the pixels of a plane, collected window by window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cellseg_monai.pixels import rescale_labels, share_of_levels, sharpness, top_levels

__all__ = ["SampledPlane"]

_VALUES_PX, _VALUES_KNOWN = 4096, 16  # number of pixels whose values are looked at; up to how many values are counted
_SAMPLE_PX = 2**16  # of a larger window, means and neighbours are measured in evenly spaced rows with so many pixels
_COLOUR_STEP = 4  # every how many rows and columns colours are looked at
_LEAST_DIFFERENCE, _LEAST_CORRELATION = 0.01, 0.3  # between colour channels, for a photograph


@dataclass(eq=False)
class SampledPlane:
    """Sums and counts over the windows of a plane.

    Args:
        is_colour: True if the channels are red, green and blue.
    """

    is_colour: bool = False
    _levels: list[list[dict[float, int]]] = field(default_factory=list)
    _values: list[set[float]] = field(default_factory=list)
    _equal: list[list[int]] = field(default_factory=list)
    _sharpness: list[tuple[bool, float]] = field(default_factory=list)
    _touching: list[np.ndarray] = field(default_factory=list)
    _colours: list[np.ndarray] = field(default_factory=list)
    _pixels = 0
    _sums = (0.0, 0, 0.0, 0)

    def add(self, channels: Sequence[np.ndarray], prepared: np.ndarray, labels: np.ndarray) -> None:
        """Add a window.

        Args:
            channels: YX pixels of each channel that holds measurements.
            prepared: CYX, the same window as the network sees it.
            labels: YX ids of the objects in the window.
        """
        self._pixels += labels.size
        self._touching.append(_touching_ids(labels))
        self._add_values(channels)
        inside = labels > 0
        self._add_prepared(prepared[0] if len(prepared) == 1 else prepared.mean(axis=0), inside)
        if self.is_colour:
            self._colours.append(
                np.stack([channel[::_COLOUR_STEP, ::_COLOUR_STEP].ravel() for channel in channels]).astype(np.float32)
            )

    def _add_values(self, channels: Sequence[np.ndarray]) -> None:
        for number, channel in enumerate(channels):
            if len(self._levels) == number:
                self._levels.append([])
                self._values.append(set())
                self._equal.append([0, 0])
            self._levels[number].append(top_levels(channel))
            values = self._values[number]
            if len(values) < _VALUES_KNOWN:
                looked_at = channel.ravel()[:: max(1, channel.size // _VALUES_PX)]
                values.update(np.unique(looked_at)[:_VALUES_KNOWN].tolist())
            rows = _sampled_rows(channel)
            above_least = rows[:, 1:] > rows.min()
            equal = (rows[:, 1:] == rows[:, :-1]) & above_least
            self._equal[number][0] += int(np.count_nonzero(equal))
            self._equal[number][1] += int(np.count_nonzero(above_least))

    def _add_prepared(self, prepared: np.ndarray, inside: np.ndarray) -> None:
        if inside.shape != prepared.shape:
            inside = rescale_labels(inside.astype(np.uint8), prepared.shape) > 0
        rows, of_objects = _sampled_rows(prepared), _sampled_rows(inside)
        values = rows[of_objects]
        sum_inside, inside_px, total, px = self._sums
        self._sums = (
            sum_inside + float(values.sum(dtype=np.float64)),
            inside_px + values.size,
            total + float(rows.sum(dtype=np.float64)),
            px + rows.size,
        )
        self._sharpness.append((bool(inside.any()), sharpness(prepared)))

    @property
    def brightness(self) -> float:
        """Mean of the prepared pixels."""
        return self._sums[2] / self._sums[3]

    @property
    def object_contrast(self) -> float:
        """Mean of the prepared pixels inside objects minus the mean outside; NaN if there is no inside or outside."""
        sum_inside, inside_px, total, px = self._sums
        if inside_px in (0, px):
            return float("nan")
        return sum_inside / inside_px - (total - sum_inside) / (px - inside_px)

    @property
    def sharpness(self) -> float:
        """Median sharpness of the windows that contain objects, or of all windows if none does.

        Windows without objects contain nothing that could be sharp.
        """
        of_objects = [value for filled, value in self._sharpness if filled]
        values = np.array(of_objects or [value for _, value in self._sharpness])
        values = values[np.isfinite(values)]
        return float(np.median(values)) if len(values) else float("nan")

    @property
    def saturated(self) -> float:
        """Share of saturated pixels in the most saturated channel; see `pixels.saturated_share`."""
        return max(share_of_levels(levels, self._pixels) for levels in self._levels)

    @property
    def values(self) -> int:
        """Number of distinct values in the channel with most values, counted up to 16."""
        return min(_VALUES_KNOWN, max(map(len, self._values)))

    @property
    def flatness(self) -> float:
        """Share of the pixels above the lowest value that equal their neighbour, in the least flat channel."""
        return min(equal / compared if compared else 0.0 for equal, compared in self._equal)

    @property
    def colourfulness(self) -> float:
        """The strength of colours as in a photograph, from 0 for a grey image; see `colour_of`."""
        return colour_of(np.concatenate(self._colours, axis=1)) if self._colours else 0.0

    def touching_among(self, seen: int) -> float:
        """Return the share of objects that touch another one.

        Args:
            seen: number of objects in all windows.
        """
        return len(np.unique(np.concatenate(self._touching))) / seen if seen else float("nan")


def colour_of(colours: np.ndarray) -> float:
    """Return how bright an image is in its darkest colour channel, if its colours are those of a photograph.

    In a photograph or a stained slide, red, green and blue are bright in the same places, but not equal. In a
    fluorescence image, the background is black, and every channel shows something else.

    Args:
        colours: red, green and blue of the pixels, 3×N floats.

    Returns:
        Mean of the darkest channel as a share of the highest value, or 0 if the channels are equal or unrelated.

    >>> light = np.linspace(100, 200, 50)
    >>> round(colour_of(np.stack([light, 0.9 * light, 0.8 * light])), 2), colour_of(np.stack([light] * 3))
    (0.6, 0.0)
    """
    highest = float(colours.max(initial=0))
    if highest <= 0:
        return 0.0
    means = colours.mean(axis=1, keepdims=True)
    centred = colours - means
    spreads = np.sqrt((centred**2).mean(axis=1))
    difference = float(np.abs(np.diff(colours, axis=0)).mean()) / highest
    if spreads.min() == 0 or difference < _LEAST_DIFFERENCE:
        return 0.0
    related = min(
        float((centred[first] * centred[second]).mean() / (spreads[first] * spreads[second]))
        for first, second in ((0, 1), (1, 2))
    )
    return float(means.min()) / highest if related > _LEAST_CORRELATION else 0.0


def _sampled_rows(values: np.ndarray) -> np.ndarray:
    """Return evenly spaced rows of a window, or all rows of a small one."""
    return values[:: max(1, values.size // _SAMPLE_PX)]


def _touching_ids(labels: np.ndarray) -> np.ndarray:
    """Return the ids of objects that touch another one, some repeatedly."""
    width, flat = labels.shape[1], labels.ravel()
    beside = np.flatnonzero(flat[1:] != flat[:-1])
    beside = beside[beside % width != width - 1]  # the last pixel of a row is not beside the first of the next
    below = np.flatnonzero(flat[width:] != flat[:-width])
    first, second = (np.concatenate([flat[beside + step], flat[below + down]]) for step, down in ((0, 0), (1, width)))
    touching = (first > 0) & (second > 0)
    return np.concatenate([first[touching], second[touching]])
