"""Overlays on images: outlines of true and predicted objects, and a mark on every mistake.

Outlines are bitmaps rather than vectors. The size of a bitmap with few colours hardly depends on the number of objects,
which keeps pages below a size limit. Vector outlines of 40,000 cells would exceed it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cellseg_monai.io.display import shrunk
from cellseg_monai.labels import ObjectTable, inner_outlines, measure_objects
from cellseg_monai.pixels import rescale_labels
from cellseg_monai.report.html import data_uri, escape
from cellseg_monai.report.picture import jpeg, palette_png
from cellseg_monai.scores import Mistakes

__all__ = ["MARKS", "View", "crop_corners", "outlined", "overlay"]

MARKS = {
    "missed": ("−", "missed: a true object that was not found"),
    "invented": ("+", "invented: a predicted object that matches no true one"),
    "loose": ("≈", "loose: found, but with an outline too inaccurate to count"),
    "split": ("S", "split: a true object found in several pieces"),
    "merged": ("M", "merged: a predicted object that covers several true ones"),
}
"""The symbol and the meaning of each kind of mistake."""

# Blue and orange by Okabe & Ito (see `line_styles`): pale shades for dark images, deep shades for bright images.
_PALE = ((86, 180, 233), (230, 159, 0))
_DEEP = ((0, 114, 178), (213, 94, 0))
_TINT = 70  # opacity of objects without a partner, 0 to 255
_DASH_PX = 8


@dataclass(frozen=True, eq=False)
class View:
    """An image, or part of an image, with its true and predicted label images.

    Args:
        picture: the image as YX3 uint8.
        truth: YX ids of the true objects.
        prediction: YX ids of the predicted objects.
        mistakes: mistakes in the whole image, even if the view is only a part.
    """

    picture: np.ndarray
    truth: np.ndarray
    prediction: np.ndarray
    mistakes: Mistakes

    def crop(self, top: int, left: int, side: int) -> View:
        """Return the square part of the view whose top left corner is at (top, left), in pixels."""
        window = slice(top, top + side), slice(left, left + side)
        parts = {name: getattr(self, name)[window] for name in ("picture", "truth", "prediction")}
        return replace(self, **parts)

    @cached_property
    def true_objects(self) -> ObjectTable:
        """Measurements of the objects in `truth`."""
        return measure_objects(self.truth)

    @cached_property
    def predicted_objects(self) -> ObjectTable:
        """Measurements of the objects in `prediction`."""
        return measure_objects(self.prediction)


def overlay(view: View, alt: str, *, side_px: int, mark_share: float = 0.02) -> str:
    """Return a view as HTML layers: the image, true outlines, predicted outlines and marks.

    True outlines are solid and predicted outlines are dashed. Objects without a partner are tinted. The reader can hide
    every layer above the image.

    Args:
        view: image and label images to show.
        alt: description of the picture for screen readers.
        side_px: longer side of the outline layers in pixels. Larger images are reduced to this size; smaller images are
            not enlarged.
        mark_share: height of a mark as a fraction of the view's longer side.
    """
    shape = _layer_shape(view.truth.shape, side_px)
    truth_colour, prediction_colour = _colours_over(view.picture)
    layers = {
        "truth": _layer(view.truth, shape, view.mistakes.unmatched_truth, truth_colour),
        "prediction": _layer(
            view.prediction, shape, view.mistakes.unmatched_prediction, prediction_colour, dashed=view.predicted_objects
        ),
    }
    return _stacked(view.picture, alt, layers, view.truth.shape, side_px, _marks(view, mark_share))


def outlined(picture: np.ndarray, labels: np.ndarray, alt: str, *, side_px: int, tinted: np.ndarray) -> str:
    """Return an image as HTML layers: the image and the outlines of its objects, without ground truth.

    Args:
        picture: the image as YX3 uint8.
        labels: YX ids covering the same area, at any resolution.
        alt: description of the picture for screen readers.
        side_px: longer side of the outline layer in pixels. Larger images are reduced to this size; smaller images are
            not enlarged.
        tinted: ids of the objects to tint.
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
    # The box declares its aspect ratio, so that links scroll to the right place even before the images are decoded.
    box = f'<div class="stack" style="--wide: {shape[1]}; --high: {shape[0]}">'
    return "\n".join([box, *images, *([on_top] if on_top else []), "</div>"])


def _layer(
    labels: np.ndarray,
    shape: tuple[int, int],
    tinted: np.ndarray,
    colour: tuple[int, int, int],
    *,
    dashed: ObjectTable | None = None,
) -> bytes:
    """Draw outlines and tints of objects as a transparent PNG.

    Args:
        labels: YX ids.
        shape: (Y, X) of the PNG in pixels.
        tinted: ids of the objects to tint.
        colour: red, green and blue for outlines and tints, 0 to 255.
        dashed: measurements of the objects in `labels`, needed for dashed outlines; None for solid outlines.
    """
    layer = rescale_labels(labels, shape)
    codes: np.ndarray = np.isin(layer, tinted).astype(np.uint8)
    outlines = inner_outlines(layer)
    outlines |= inner_outlines(np.where(outlines, 0, layer))  # two pixels wide
    if dashed is not None:
        rows, columns = np.nonzero(outlines)
        scale = shape[0] / labels.shape[0], shape[1] / labels.shape[1]
        gap = _dash_gaps(dashed, layer[rows, columns], (rows, columns), scale)
        outlines[rows[gap], columns[gap]] = False
    codes[outlines] = 2
    return palette_png(codes, [(0, 0, 0, 0), (*colour, _TINT), (*colour, 255)])


def _dash_gaps(
    objects: ObjectTable, ids: np.ndarray, pixels: tuple[np.ndarray, np.ndarray], scale: tuple[float, float]
) -> np.ndarray:
    """Return True for each outline pixel that lies in a gap of a dashed line.

    The position of a pixel along its outline is measured as its angle around the object's centroid.

    Args:
        objects: measurements of the objects.
        ids: object id at each outline pixel.
        pixels: row and column of each outline pixel in the layer.
        scale: layer pixels per label-image pixel, (y, x).
    """
    positions = objects.positions(ids)
    rows, columns = ((index + 0.5) / factor - 0.5 for index, factor in zip(pixels, scale, strict=True))
    angle = np.arctan2(rows - objects["centroid_y_px"][positions], columns - objects["centroid_x_px"][positions])
    radius = scale[0] * np.sqrt(objects["area_px"][positions] / np.pi)  # of a disc with the object's area
    gap: np.ndarray = np.floor(angle * radius / _DASH_PX).astype(int) % 2 == 1
    return gap


def _marks(view: View, share: float) -> str:
    """Return an SVG layer with a mark at the top of each wrongly segmented object."""
    height, width = view.truth.shape
    size = share * max(height, width)
    texts = []
    for kind, (mark, _) in MARKS.items():
        objects = view.predicted_objects if kind in ("invented", "merged") else view.true_objects
        marked = objects.positions(np.intersect1d(getattr(view.mistakes, kind), objects["id"]))
        radii = np.sqrt(objects["area_px"][marked] / np.pi)
        above = np.clip(objects["centroid_y_px"][marked] - radii, size / 2, height - size / 2)
        across = np.clip(objects["centroid_x_px"][marked], size / 2, width - size / 2)
        marks = (f'<text x="{x:.0f}" y="{y:.0f}">{mark}</text>' for x, y in zip(across, above, strict=True))
        if len(marked):
            texts.append(f"<g><title>{escape(MARKS[kind][1])}</title>{''.join(marks)}</g>")
    return (
        f'<svg class="layer marks" viewBox="0 0 {width} {height}" aria-hidden="true" '
        f'font-size="{size:.1f}" stroke-width="{size / 5:.1f}">{"".join(texts)}</svg>'
    )


def crop_corners(view: View, *, side: int, most: int) -> list[tuple[int, int]]:
    """Choose square regions with many mistakes to show enlarged, starting where they are densest.

    Mistakes inside one square do not count for later ones.

    Args:
        view: view of the whole image.
        side: side length of the squares in pixels.
        most: maximum number of squares.

    Returns:
        (top, left) of each square. Squares stay inside the image unless the image is smaller than a square.
    """
    centres = []
    for objects, ids in (
        (view.true_objects, view.mistakes.unmatched_truth),
        (view.predicted_objects, view.mistakes.unmatched_prediction),
    ):
        unmatched = objects.positions(ids)
        centres.append(np.stack([objects["centroid_y_px"][unmatched], objects["centroid_x_px"][unmatched]], axis=1))
    remaining: np.ndarray = np.concatenate(centres)
    corners: list[tuple[int, int]] = []
    limits = np.maximum(np.array(view.truth.shape) - side, 0)
    while len(remaining) and len(corners) < most:
        cells: np.ndarray = (remaining // side).astype(int)
        fullest, counts = np.unique(cells, axis=0, return_counts=True)
        chosen = (cells == fullest[np.argmax(counts)]).all(axis=1)
        corner = np.clip(remaining[chosen].mean(axis=0) - side / 2, 0, limits).astype(int)
        corners.append((int(corner[0]), int(corner[1])))
        shown = ((remaining >= corner) & (remaining < corner + side)).all(axis=1)
        remaining = remaining[~(chosen | shown)]
    return corners
