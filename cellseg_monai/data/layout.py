"""The folder convention: `images/` and `labels/`, a label having the stem of its image.

my_set/
  images/  a.tif  b.png  ...
  labels/  a.tif  b.tif  ...
  datalist.json   which image belongs to training, validation and test (optional)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cellseg_monai.data.faults import Fault, dataset_error, place_of
from cellseg_monai.errors import DatasetError
from cellseg_monai.io import readable_suffixes

__all__ = ["Layout", "find_pairs", "list_images", "scan", "stem_of"]


@dataclass(frozen=True)
class Layout:
    """What lies in `images/` and `labels/`, by stem.

    Args:
        dataset: the folder.
        images: stem to image file, sorted by stem.
        labels: stem to label file, sorted by stem.
        repeated: files left out, because an earlier one (by name) of that folder has their stem.
    """

    dataset: Path
    images: dict[str, Path]
    labels: dict[str, Path]
    repeated: tuple[Path, ...]

    def faults(self) -> list[Fault]:
        """Images without label, labels without image, and files that share a stem."""
        found = []
        for stem, image in self.images.items():
            if stem not in self.labels:
                message = f"no label with the stem {stem!r} in labels/; add it, or take the image away"
                found.append(Fault(place_of(image, self.dataset), "missing-partner", message))
        for stem, label in self.labels.items():
            if stem not in self.images:
                message = f"no image with the stem {stem!r} in images/; add it, or take the label away"
                found.append(Fault(place_of(label, self.dataset), "missing-partner", message))
        found += self.repeated_faults()
        return sorted(found)

    def repeated_faults(self) -> list[Fault]:
        """Files that share a stem with another one in their folder."""
        return [
            Fault(
                place_of(path, self.dataset),
                "repeated-stem",
                f"another file in {path.parent.name}/ has the stem {stem_of(path)!r}, and it is not clear "
                "which is meant; keep one of them",
            )
            for path in self.repeated
        ]


def stem_of(path: str | Path) -> str:
    """The name of a file without its suffix; `.ome.tif` counts as one suffix.

    >>> stem_of("images/plate1.A01.ome.tif"), stem_of("labels/plate1.A01.TIF")
    ('plate1.A01', 'plate1.A01')
    """
    stem = Path(path).stem
    return stem[:-4] if stem.lower().endswith(".ome") else stem


def list_images(folder: str | Path) -> list[Path]:
    """The files of a folder that `cellseg_monai.io` can read by their suffix, sorted by name.

    Upper and lower case suffixes count alike; hidden files and folders are left out.

    Raises:
        DatasetError: there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; pass a folder that holds images")
    suffixes = readable_suffixes()
    return sorted(
        (
            path
            for path in folder.iterdir()
            if path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()
        ),
        key=lambda path: path.name,
    )


def scan(dataset_dir: str | Path) -> Layout:
    """What lies in the `images/` and `labels/` of a data set; a folder that is not there counts as empty."""
    dataset = Path(dataset_dir)
    found: dict[str, dict[str, Path]] = {"images": {}, "labels": {}}
    repeated: list[Path] = []
    for name, by_stem in found.items():
        for path in list_images(dataset / name) if (dataset / name).is_dir() else []:
            if by_stem.setdefault(stem_of(path), path) != path:
                repeated.append(path)
    images, labels = (dict(sorted(found[name].items())) for name in ("images", "labels"))
    return Layout(dataset, images, labels, tuple(repeated))


def find_pairs(dataset_dir: str | Path) -> list[tuple[Path, Path]]:
    """The (image, label) files of a data set, sorted by stem.

    Raises:
        DatasetError: there is no pair, an image or a label has no partner, or two files share a stem; the
            message lists all of these.
    """
    layout = scan(dataset_dir)
    faults = layout.faults()
    if faults:
        raise dataset_error(layout.dataset, faults)
    if not layout.images:
        raise DatasetError(f"{layout.dataset}: no images; expected images/ and labels/ with files of the same stem")
    return [(image, layout.labels[stem]) for stem, image in layout.images.items()]
