"""Overview figure of a data set: distributions, and example images with outlined labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from cellseg_monai.data.statistics import PERCENTILES, DatasetStatistics, ImageStatistics
from cellseg_monai.io import read, read_labels
from cellseg_monai.io.display import picture_of, shrunk
from cellseg_monai.labels import paint_outlines
from cellseg_monai.one_line import one_line
from cellseg_monai.pixels import rescale_labels
from cellseg_monai.report.distributions import equal_edges
from cellseg_monai.report.line_styles import COLOURS

__all__ = ["data_figure", "examples"]

_BLUE, _ORANGE = COLOURS[:2]
_COLUMNS = 4
_LONGEST_SIDE = 700


def examples(statistics: DatasetStatistics, most: int = 8) -> list[ImageStatistics]:
    """Choose example images that span the data set, from the fewest objects to the most.

    If no image has labels, the examples span the range of median intensities instead.

    Args:
        statistics: statistics of the data set.
        most: maximum number of images.
    """
    labelled = statistics.labelled
    ranked = sorted(
        labelled or statistics.images,
        key=lambda image: (image.objects.count if image.objects else image.percentiles[2], image.stem),
    )
    positions = np.unique(np.linspace(0, len(ranked) - 1, min(most, len(ranked))).round().astype(int))
    return [ranked[position] for position in positions]


def data_figure(statistics: DatasetStatistics, *, axes: str | None = None) -> Figure:
    """Draw distributions and example images of a data set.

    Args:
        statistics: statistics of a data set with at least one image.
        axes: axes of image files that do not state their own; see `io.read`.
    """
    shown = examples(statistics)
    rows = -(-len(shown) // _COLUMNS)
    figure = Figure(figsize=(14, 3.6 + 3.4 * rows), layout="constrained")
    above, below = np.ravel(figure.subfigures(2, 1, height_ratios=[3.4, 3.4 * rows], squeeze=False))
    above.suptitle(f"{statistics.dataset.resolve().name}: {len(statistics.images)} images")
    left, middle, right = above.subplots(1, 3)
    labelled = [image.objects for image in statistics.labelled if image.objects is not None]
    diameters = np.concatenate([np.zeros(0), *(objects.diameters_px for objects in labelled)])
    _histogram(left, [objects.count for objects in labelled], "objects", "images", "Objects per image")
    _histogram(middle, diameters, "equivalent diameter, px", "objects", "Object sizes")
    _intensities(right, statistics.images)
    grid = np.ravel(below.subplots(rows, _COLUMNS, squeeze=False))
    for panel in grid:
        panel.set_axis_off()
    for panel, image in zip(grid, shown, strict=False):
        panel.imshow(_picture(image, axes), interpolation="nearest")
        count = "no labels" if image.objects is None else _object_count(image.objects.count)
        panel.set_title(f"{one_line(_shortened(image.stem))}\n{count}", fontsize=8)
    return figure


def _histogram(axes: Axes, values: Sequence[float] | np.ndarray, x_label: str, y_label: str, title: str) -> None:
    axes.set_title(title)
    if len(values) == 0:
        axes.text(0.5, 0.5, "no labels", ha="center", va="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    edges = equal_edges(np.asarray(values), min(40, max(5, len(np.unique(values)))))
    axes.hist(values, bins=edges.tolist(), color=_BLUE)
    median = float(np.median(values))
    axes.axvline(median, color=_ORANGE, linestyle="--", label=f"median {median:.4g}")
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.legend()


def _intensities(axes: Axes, images: Sequence[ImageStatistics]) -> None:
    """Draw each image's intensity range, from its 1st to its 99th percentile, with images sorted by median."""
    low, median, high = (PERCENTILES.index(percentile) for percentile in (1.0, 50.0, 99.0))
    values = np.array(sorted((image.percentiles for image in images), key=lambda percentiles: percentiles[median]))
    positions = np.arange(len(values))
    axes.vlines(positions, values[:, low], values[:, high], color=_BLUE, linewidth=1, label="1st to 99th percentile")
    axes.plot(positions, values[:, median], ".", color=_ORANGE, label="median")
    axes.set_title("Intensities per image")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel("images, sorted by median")
    axes.set_ylabel("intensity (units of the file)")
    low_end, high_end = axes.get_ylim()
    axes.set_ylim(low_end, high_end + 0.25 * (high_end - low_end))  # room for the legend above the data
    axes.legend()


def _picture(image: ImageStatistics, axes: str | None) -> np.ndarray:
    picture = shrunk(picture_of(read(image.image_path, axes=axes)), _LONGEST_SIDE)
    if image.label_path is None:
        return picture
    labels = rescale_labels(read_labels(image.label_path), (picture.shape[0], picture.shape[1]))
    picture = picture.copy()  # Pillow can return read-only arrays
    paint_outlines(picture, labels)
    return picture


def _shortened(name: str, most: int = 34) -> str:
    return name if len(name) <= most else f"{name[: most - 13]}…{name[-12:]}"


def _object_count(objects: int) -> str:
    return "1 object" if objects == 1 else f"{objects} objects"
