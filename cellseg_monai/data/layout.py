"""The folder layout of a data set: `images/` and `labels/`, where each label has the stem of its image.

my_set/
  images/  a.tif  b.png  ...
  labels/  a.tif  b.tif  ...
  datalist.json   the images for training, validation and test (optional)
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
    """The files in `images/` and `labels/`, by stem.

    Args:
        dataset: folder of the data set.
        images: image file for each stem, sorted by stem.
        labels: label file for each stem, sorted by stem.
        repeated: files left out because a file that sorts before them in the same folder has the same stem.
    """

    dataset: Path
    images: dict[str, Path]
    labels: dict[str, Path]
    repeated: tuple[Path, ...]

    def faults(self) -> list[Fault]:
        """Return the faults: images without a label, labels without an image, and files that share a stem."""
        faults = []
        for stem, image in self.images.items():
            if stem not in self.labels:
                message = f"no label with the stem {stem!r} in labels/; add the label, or remove the image"
                faults.append(Fault(place_of(image, self.dataset), "missing-partner", message))
        for stem, label in self.labels.items():
            if stem not in self.images:
                message = f"no image with the stem {stem!r} in images/; add the image, or remove the label"
                faults.append(Fault(place_of(label, self.dataset), "missing-partner", message))
        faults += self.repeated_faults()
        return sorted(faults)

    def repeated_faults(self) -> list[Fault]:
        """Return a fault for each file that has the same stem as an earlier file in its folder."""
        return [
            Fault(
                place_of(path, self.dataset),
                "repeated-stem",
                f"another file in {path.parent.name}/ has the stem {image_stem(path)!r}, so the stem is "
                "ambiguous; keep only one of these files",
            )
            for path in self.repeated
        ]


def list_images(folder: str | Path) -> list[Path]:
    """Return the files in a folder that have a suffix `cellseg_monai.io` can read, sorted by name.

    The case of the suffix does not matter. Hidden files and folders are left out.

    Raises:
        DatasetError: the folder does not exist.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"{folder}: no such folder; pass a folder with images")
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
    """Return the files in `images/` and `labels/` in a data set; a missing folder counts as empty."""
    dataset = Path(dataset_dir)
    files: dict[str, dict[str, Path]] = {"images": {}, "labels": {}}
    repeated: list[Path] = []
    for name, by_stem in files.items():
        for path in list_images(dataset / name) if (dataset / name).is_dir() else []:
            if by_stem.setdefault(image_stem(path), path) != path:
                repeated.append(path)
    images, labels = (dict(sorted(files[name].items())) for name in ("images", "labels"))
    return Layout(dataset, images, labels, tuple(repeated))
