"""An image with the outlines of true and predicted objects over it, and a mark at every mistake."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from html import escape

import numpy as np

from cellseg_monai.io.display import shrunk
from cellseg_monai.labels import ObjectTable, inner_outlines, measure_objects
from cellseg_monai.pixels import rescale_labels
from cellseg_monai.report.html import data_uri
from cellseg_monai.report.picture import jpeg, palette_png
from cellseg_monai.scores import Mistakes

__all__ = ["MARKS", "View", "crop_corners", "outlined", "overlay"]

MARKS = {
    "missed": ("−", "missed: a true object where nothing was found"),
    "invented": ("+", "invented: a predicted object where nothing is"),
    "loose": ("≈", "loose: found, but with an outline too far off to count"),
    "split": ("S", "split: a true object found in several pieces"),
    "merged": ("M", "merged: a predicted object that is several true ones"),
}
"""Of every kind of mistake, its mark and what that means."""

# Okabe & Ito's blue and orange, see `lines`: pale ones over dark images, deep ones over bright images.
_PALE = ((86, 180, 233), (230, 159, 0))
_DEEP = ((0, 114, 178), (213, 94, 0))
_TINT = 70  # the opacity of what has no partner, 0 to 255
_DASH_PX = 8


@dataclass(frozen=True, eq=False)
class View:
    """An image or a part of it, as it is compared.

    Args:
        picture: YX3 uint8.
        truth: YX ids.
        prediction: YX ids.
        mistakes: of the whole image.
    """

    picture: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    mistakes: Mistakes

    def crop(self, top: int, left: int, side: int) -> View:
        """The square part from this corner on."""
        window = slice(top, top + side), slice(left, left + side)
        parts = {name: getattr(self, name)[window] for name in ("picture", "truth", "prediction")}
        return replace(self, **parts)

    @cached_property
    def true_objects(self) -> ObjectTable:
        """Those in `truth`, measured."""
        return measure_objects(self.truth)

    @cached_property
    def predicted_objects(self) -> ObjectTable:
        """Those in `prediction`, measured."""
        return measure_objects(self.prediction)


def overlay(view: View, alt: str, *, side_px: int, mark_share: float = 0.02) -> str:
    """The layers of a view as HTML, each of which can be hidden: image, true outlines, predicted ones, marks.

    True outlines are solid, predicted ones dashed; objects without a partner are tinted.

    Args:
        view: what is shown.
        alt: what it shows, for those who do not see it.
        side_px: the longer side of the layers; the image itself has fewer where it is smaller.
        mark_share: the height of a mark as part of the longer side.
    """
    shape = _layer_shape(view.truth.shape, side_px)
    truth_colour, prediction_colour = _colours_over(view.picture)
    tinted = view.mistakes.unmatched_truth, view.mistakes.unmatched_prediction
    layers = {
        "truth": _layer(view.truth, shape, tinted[0], truth_colour),
        "prediction": _layer(view.prediction, shape, tinted[1], prediction_colour, dashed=view.predicted_objects),
    }
    return _stacked(view.picture, alt, layers, view.truth.shape, side_px, _marks(view, mark_share))


def outlined(picture: np.ndarray, labels: np.ndarray, alt: str, *, side_px: int, tinted: np.ndarray) -> str:
    """The layers of an image without truth as HTML: itself, and the outlines of its objects.

    Args:
        picture: YX3 uint8.
        labels: YX ids of the same place, of any size.
        alt: what it shows, for those who do not see it.
        side_px: the longer side of the outlines; the image itself has fewer where it is smaller.
        tinted: ids of the objects that stand out.
    """
    _, colour = _colours_over(picture)
    layer = _layer(labels, _layer_shape(labels.shape, side_px), tinted, colour)
    return _stacked(picture, alt, {"prediction": layer}, labels.shape, side_px)


def _layer_shape(shape: tuple[int, ...], side_px: int) -> tuple[int, int]:
    height, width = (max(1, round(length * side_px / max(shape))) for length in shape)
    return height, width


def _colours_over(picture: np.ndarray) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    return _DEEP if picture.mean() > 127 else _PALE


def _stacked(
    picture: np.ndarray, alt: str, layers: dict[str, bytes], shape: tuple[int, ...], side_px: int, on_top: str = ""
) -> str:
    base = data_uri(jpeg(shrunk(picture, side_px)), "image/jpeg")
    images = [f'<img class="base" alt="{escape(alt)}" src="{base}">']
    images += [
        f'<img class="layer {name}" alt="" src="{data_uri(content, "image/png")}">' for name, content in layers.items()
    ]
    # The box has its proportions before anything is decoded, so that links lead to the right place.
    box = f'<div class="stack" style="--wide: {shape[1]}; --high: {shape[0]}">'
    return "\n".join([box, *images, *([on_top] if on_top else []), "</div>"])


def _layer(
    labels: np.ndarray,
    shape: tuple[int, int],
    unmatched: np.ndarray,
    colour: tuple[int, int, int],
    *,
    dashed: ObjectTable | None = None,
) -> bytes:
    """Labels at this shape; their outlines are dashed where their objects are given, as measured in `labels`."""
    layer = rescale_labels(labels, shape)
    codes: np.ndarray = np.isin(layer, unmatched).astype(np.uint8)
    outlines = inner_outlines(layer)
    outlines |= inner_outlines(np.where(outlines, 0, layer))  # two pixels wide
    if dashed is not None:
        rows, columns = np.nonzero(outlines)
        scale = shape[0] / labels.shape[0], shape[1] / labels.shape[1]
        gap = _gaps(dashed, layer[rows, columns], (rows, columns), scale)
        outlines[rows[gap], columns[gap]] = False
    codes[outlines] = 2
    return palette_png(codes, [(0, 0, 0, 0), (*colour, _TINT), (*colour, 255)])


def _gaps(
    objects: ObjectTable, ids: np.ndarray, pixels: tuple[np.ndarray, np.ndarray], scale: tuple[float, float]
) -> np.ndarray:
    """Which pixels of outlines a dashed line leaves out, by the way around the centre of their object."""
    at = objects.positions(ids)
    rows, columns = ((each + 0.5) / factor - 0.5 for each, factor in zip(pixels, scale, strict=True))
    angle = np.arctan2(rows - objects["centroid_y_px"][at], columns - objects["centroid_x_px"][at])
    around = scale[0] * np.sqrt(objects["area_px"][at] / np.pi)  # of a disc of the same area
    gap: np.ndarray = np.floor(angle * around / _DASH_PX).astype(int) % 2 == 1
    return gap


def _marks(view: View, share: float) -> str:
    """A mark above each object that something happened to, as SVG."""
    height, width = view.truth.shape
    size = share * max(height, width)
    texts = []
    for kind, (mark, _) in MARKS.items():
        objects = view.predicted_objects if kind in ("invented", "merged") else view.true_objects
        here = objects.positions(np.intersect1d(getattr(view.mistakes, kind), objects["id"]))
        radii = np.sqrt(objects["area_px"][here] / np.pi)
        above = np.clip(objects["centroid_y_px"][here] - radii, size / 2, height - size / 2)
        across = np.clip(objects["centroid_x_px"][here], size / 2, width - size / 2)
        marks = (f'<text x="{x:.0f}" y="{y:.0f}">{mark}</text>' for x, y in zip(across, above, strict=True))
        if len(here):
            texts.append(f"<g><title>{escape(MARKS[kind][1])}</title>{''.join(marks)}</g>")
    return (
        f'<svg class="layer marks" viewBox="0 0 {width} {height}" aria-hidden="true" '
        f'font-size="{size:.1f}" stroke-width="{size / 5:.1f}">{"".join(texts)}</svg>'
    )


def crop_corners(view: View, *, side: int, most: int) -> list[tuple[int, int]]:
    """Where to look closer: the corners of squares with many mistakes, the fullest first, no mistake shown twice.

    Args:
        view: of the whole image.
        side: of the squares, in pixels.
        most: how many there may be.

    Returns:
        (top, left) of each, whole squares within the image where it is as large.
    """
    centres = []
    for objects, ids in (
        (view.true_objects, view.mistakes.unmatched_truth),
        (view.predicted_objects, view.mistakes.unmatched_prediction),
    ):
        at = objects.positions(ids)
        centres.append(np.stack([objects["centroid_y_px"][at], objects["centroid_x_px"][at]], axis=1))
    left: np.ndarray = np.concatenate(centres)
    corners: list[tuple[int, int]] = []
    limits = np.maximum(np.array(view.truth.shape) - side, 0)
    while len(left) and len(corners) < most:
        cells: np.ndarray = (left // side).astype(int)
        fullest, counts = np.unique(cells, axis=0, return_counts=True)
        chosen = (cells == fullest[np.argmax(counts)]).all(axis=1)
        corner = np.clip(left[chosen].mean(axis=0) - side / 2, 0, limits).astype(int)
        corners.append((int(corner[0]), int(corner[1])))
        left = left[~(chosen | ((left >= corner) & (left < corner + side)).all(axis=1))]
    return corners
