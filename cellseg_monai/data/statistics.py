"""Statistics of a data set: image sizes, intensities, objects and tags."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cellseg_monai.data.datalist import DATALIST_NAME
from cellseg_monai.data.datalist_file import read_datalist
from cellseg_monai.data.image_faults import shape_fault, stack_fault
from cellseg_monai.data.layout import Layout, scan
from cellseg_monai.data.parallel import map_parallel
from cellseg_monai.data.tags import count_tags
from cellseg_monai.errors import DatasetError, UnreadableImageError
from cellseg_monai.faults import Fault, place_of
from cellseg_monai.io import read, read_labels
from cellseg_monai.labels import relabel_sequential

__all__ = [
    "PERCENTILES",
    "DatasetStatistics",
    "ImageStatistics",
    "ObjectStatistics",
    "dataset_statistics",
    "object_statistics",
]

PERCENTILES = (0.1, 1.0, 50.0, 99.0, 99.9)
TINY_PX = 20
MOST_VALUES = 20  # values shown for a tag; LIVECell has eight cell types


@dataclass(frozen=True, eq=False)
class ObjectStatistics:
    """Statistics of the objects in one label image.

    Args:
        diameters_px: diameter in pixels of the disc with the same area as each object, in the order of the ids.
        touching: number of objects with a pixel that shares an edge with a pixel of another object.
        tiny: number of objects smaller than 20 pixels.
        covered: fraction of the image covered by objects, 0 to 1.
    """

    diameters_px: np.ndarray
    touching: int
    tiny: int
    covered: float

    @property
    def count(self) -> int:
        """Number of objects."""
        return len(self.diameters_px)


@dataclass(frozen=True, eq=False)
class ImageStatistics:
    """Statistics of one image in a data set, and of its label image.

    Args:
        stem: stem of the image file.
        shape: height and width in pixels.
        channels: number of channels.
        dtype: type of the pixels in the file.
        percentiles: intensity percentiles at `PERCENTILES`, after averaging over channels.
        objects: statistics of the objects, or None if there is no label image.
        image_path: the image file.
        label_path: the label file, or None if there is none.
    """

    stem: str
    shape: tuple[int, int]
    channels: int
    dtype: str
    percentiles: tuple[float, ...]
    objects: ObjectStatistics | None
    image_path: Path
    label_path: Path | None


@dataclass(frozen=True, eq=False)
class DatasetStatistics:
    """Statistics of all readable images in a data set, and the faults in the other images.

    Args:
        dataset: folder of the data set.
        images: statistics of each image, sorted by stem.
        faults: files that cannot be read or do not fit their partner.
        tags: number of images in `datalist.json` with each value of each tag; the value None counts the images without
            the tag.
    """

    dataset: Path
    images: tuple[ImageStatistics, ...]
    faults: tuple[Fault, ...]
    tags: dict[str, Counter[str | float | None]] = field(default_factory=dict)

    @property
    def labelled(self) -> list[ImageStatistics]:
        """The images that have a label image."""
        return [image for image in self.images if image.objects is not None]

    def rows(self) -> list[tuple[str, str]]:
        """Return the statistics as the rows of a table, which are pairs of name and value."""
        labelled = [image.objects for image in self.images if image.objects is not None]
        counts = [objects.count for objects in labelled]
        total = sum(counts)
        diameters = np.concatenate([np.zeros(0), *(objects.diameters_px for objects in labelled)])
        rows = [("images", f"{len(self.images)}, {len(labelled)} with labels"), *self._tag_rows()]
        if not self.images:
            return rows
        rows += [
            ("height and width", _counted(f"{image.shape[0]}×{image.shape[1]}" for image in self.images)),
            ("channels and dtype", _counted(f"{image.channels} × {image.dtype}" for image in self.images)),
        ]
        for position, percentile in enumerate(PERCENTILES):
            values = [image.percentiles[position] for image in self.images]
            rows.append((f"intensity, percentile {percentile:g}", _spread(values)))
        if labelled:
            rows += [
                ("objects", f"{total:,}"),
                ("objects per image", _spread(counts)),
                ("images without objects", str(counts.count(0))),
            ]
        if total:
            share = sum(objects.touching for objects in labelled) / total
            rows += [
                ("diameter of objects, px", _spread(diameters)),
                ("touching another object", f"{100 * share:.1f} %"),
                (f"smaller than {TINY_PX} pixels", str(sum(objects.tiny for objects in labelled))),
                ("covered by objects", f"{100 * float(np.mean([objects.covered for objects in labelled])):.1f} %"),
            ]
        return rows

    def _tag_rows(self) -> list[tuple[str, str]]:
        return [
            (
                f"tag {name}",
                _counted(("without it" if value is None else str(value) for value in counts.elements()), MOST_VALUES),
            )
            for name, counts in self.tags.items()
        ]


def object_statistics(labels: np.ndarray) -> ObjectStatistics:
    """Return the sizes of the objects in a label image, and the number of objects that touch another object.

    Args:
        labels: YX integers, 0 is background; the ids can have gaps.

    >>> objects = object_statistics(np.array([[7, 7, 2, 0], [7, 7, 0, 9]]))
    >>> objects.diameters_px.round(2).tolist(), objects.touching, objects.covered  # 2 and 7 touch
    ([1.13, 2.26, 1.13], 2, 0.75)
    """
    labels = relabel_sequential(labels)
    areas = np.bincount(labels.ravel(), minlength=1)
    touching: np.ndarray = np.zeros(len(areas), bool)
    for ids, neighbours in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        in_contact = (ids != neighbours) & (ids > 0) & (neighbours > 0)
        touching[ids[in_contact]] = touching[neighbours[in_contact]] = True
    areas, touching = areas[1:], touching[1:]
    return ObjectStatistics(
        diameters_px=np.sqrt(4 * areas / np.pi),
        touching=int(touching.sum()),
        tiny=int((areas < TINY_PX).sum()),
        covered=float(areas.sum() / max(labels.size, 1)),
    )


def dataset_statistics(
    dataset_dir: str | Path, axes: str | None = None, *, workers: int | None = None
) -> DatasetStatistics:
    """Return the statistics of all images in `images/` and their label images in `labels/`.

    Args:
        dataset_dir: folder of the data set.
        axes: axes of the image files, such as "YXS", if the files do not state them; see `io.read`.
        workers: number of processes; None for the number of processors. Processes are spawned, so a script must call
            this function under `if __name__ == "__main__":`. With 1, the current process does all the work.

    Raises:
        DatasetError: there are no images.
    """
    layout = scan(dataset_dir)
    if not layout.images:
        raise DatasetError(f"{dataset_dir}: no images in images/; pass a data set with images/ and labels/")
    measure = functools.partial(_image_statistics, layout=layout, axes=axes)
    images, faults = [], layout.repeated_faults()
    for _, result in map_parallel(measure, list(layout.images), workers=workers, title="measuring"):
        if isinstance(result, Fault):
            faults.append(result)
        else:
            images.append(result)
    images.sort(key=lambda image: image.stem)
    return DatasetStatistics(Path(dataset_dir), tuple(images), tuple(sorted(faults)), _tags(Path(dataset_dir)))


def _tags(dataset: Path) -> dict[str, Counter[str | float | None]]:
    """Count the tags in `datalist.json`, or return an empty dictionary if the file is missing or broken."""
    try:
        sections, _ = read_datalist(dataset / DATALIST_NAME, dataset)
    except DatasetError:
        return {}
    return count_tags([item.get("tags", {}) for items in sections.values() for item in items])


def _image_statistics(stem: str, layout: Layout, axes: str | None) -> ImageStatistics | Fault:
    path, label_path = layout.images[stem], layout.labels.get(stem)
    try:
        image = read(path, axes=axes)
        labels = None if label_path is None else read_labels(label_path)
    except UnreadableImageError as error:
        place = place_of(Path(error.path), layout.dataset)
        return Fault(place, "unreadable", f"{error.reason}; {error.remedy}")
    if (stack := stack_fault(image, place_of(path, layout.dataset))) is not None:
        return stack
    channels, height, width = image.pixels.shape
    if label_path is not None and labels is not None:
        mismatch = shape_fault(labels.shape, (height, width), place_of(label_path, layout.dataset))
        if mismatch is not None:
            return mismatch
    grey = image.pixels.mean(axis=0, dtype=np.float32) if channels > 1 else image.pixels[0]
    return ImageStatistics(
        stem=stem,
        shape=(int(height), int(width)),
        channels=int(channels),
        dtype=str(image.pixels.dtype),
        percentiles=tuple(float(value) for value in np.percentile(grey, PERCENTILES)),
        objects=None if labels is None else object_statistics(labels),
        image_path=path,
        label_path=label_path,
    )


def _counted(values: Iterable[str], most: int = 4) -> str:
    """Return the distinct values with their counts as text, the most frequent first."""
    ranked = Counter(values).most_common()
    shown = [f"{value} ({count})" for value, count in ranked[:most]]
    return ", ".join(shown) + (f" and {len(ranked) - most} more" if len(ranked) > most else "")


def _spread(values: Sequence[float] | np.ndarray) -> str:
    low, median, high = np.percentile(values, (0, 50, 100))
    return f"median {median:.4g}, from {low:.4g} to {high:.4g}"
