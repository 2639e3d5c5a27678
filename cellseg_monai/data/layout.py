"""The folder convention: `images/` and `labels/`, a label having the stem of its image.

my_set/
  images/  a.tif  b.png  ...
  labels/  a.tif  b.tif  ...
  datalist.json   which image belongs to training, validation and test (optional)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cellseg_monai.errors import DatasetError
from cellseg_monai.faults import Fault, place_of
from cellseg_monai.io import image_stem, readable_suffixes

__all__ = ["Layout", "list_images", "scan"]


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
                f"another file in {path.parent.name}/ has the stem {image_stem(path)!r}, and it is not clear "
                "which is meant; keep one of them",
            )
            for path in self.repeated
        ]


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
            if by_stem.setdefault(image_stem(path), path) != path:
                repeated.append(path)
    images, labels = (dict(sorted(found[name].items())) for name in ("images", "labels"))
    return Layout(dataset, images, labels, tuple(repeated))
