"""The sample data set: synthetic images in the usual folder layout, generated instead of downloaded."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from cellseg_monai.data.datalist import DATALIST_NAME, write_datalist
from cellseg_monai.data.split import SECTIONS, Datalist, Item
from cellseg_monai.data.synthetic_cells import phase_cells
from cellseg_monai.data.synthetic_kinds import two_kinds
from cellseg_monai.data.synthetic_nuclei import nuclei
from cellseg_monai.data.synthetic_optics import Bits
from cellseg_monai.data.synthetic_shapes import SyntheticImage
from cellseg_monai.io import write_labels
from cellseg_monai.spreadsheets import writing_table

__all__ = ["SAMPLE_VERSION", "Modality", "sample_dataset", "write_sample_dataset"]

SAMPLE_VERSION = 2
"""Version of the sample, increased whenever a seed gives different images, so that cached data sets are regenerated."""

Modality = Literal["nuclei", "phase", "both", "kinds", "textures"]

_Kind = Literal["nuclei", "phase", "brightfield", "shape", "texture"]

_SHARES = {"control": 0.15, "treated": 0.85}  # of the second kind of cells, by treatment


@dataclass(frozen=True)
class _Plate:
    """The properties shared by all images on a plate."""

    name: str
    kind: _Kind
    bits: Bits
    diameter_px: float


def write_sample_dataset(
    directory: str | Path,
    *,
    seed: int = 0,
    modality: Modality = "nuclei",
    counts: tuple[int, int, int] = (24, 6, 8),
    shape: tuple[int, int] = (256, 256),
    images_per_plate: int = 4,
) -> Path:
    """Write a data set of synthetic images with exact labels: `images/`, `labels/` and `datalist.json`.

    Images from one plate share a magnification and a camera, and stay in one section. Images of nuclei have 16 bits,
    except on every fourth plate, where they have 8 bits. Plates of unstained cells alternate between phase contrast and
    bright field, and within each contrast between 8 and 16 bits.

    Images of two kinds of cells also have `classes/`, tables with the class of each cell, and the tag `treatment`: most
    cells are of the first kind in the images called "control", and of the second kind in those called "treated".

    An interrupted run leaves nothing that looks like a data set. A new folder appears only once it is complete; in an
    existing empty folder, the datalist is written last.

    Args:
        directory: a folder to create, or an empty folder to fill.
        seed: seed for the images; the same arguments give the same pixels.
        modality: "nuclei"; "phase" (unstained cells); "both" (alternating by plate); or two kinds of cells, "kinds"
            (round and bright, or elongated and dim) or "textures" (which differ in texture alone).
        counts: number of images for training, validation and test.
        shape: height and width of each image in pixels.
        images_per_plate: maximum number of images on a plate; each plate is a group.

    Returns:
        The folder.

    Raises:
        FileExistsError: the folder exists and is not empty.
        ValueError: an argument is out of range.
    """
    if modality not in get_args(Modality):
        raise ValueError(f"got modality={modality!r}, expected one of {', '.join(get_args(Modality))}; choose one")
    if len(counts) != len(SECTIONS) or min(counts) < 0 or not sum(counts) or images_per_plate < 1:
        raise ValueError(
            f"got counts={counts} and images_per_plate={images_per_plate}, expected the numbers of images for "
            "training, validation and test, and at least one image per plate; pass (24, 6, 8) and 4, for example"
        )
    directory = Path(directory).absolute()
    exists = directory.exists()
    if exists and (not directory.is_dir() or any(directory.iterdir())):
        raise FileExistsError(f"{directory}: already exists; choose another folder, or delete this one")
    directory.parent.mkdir(parents=True, exist_ok=True)
    # Prepare files inside an existing folder, as it may be on another disk or the only writable place.
    aside = (directory if exists else directory.parent) / f".{directory.name}.{uuid.uuid4().hex[:8]}.part"
    try:
        _write(aside, seed, modality, counts, shape, images_per_plate)
        if exists:
            _move_in(aside, directory)
        else:
            os.rename(aside, directory)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return directory


def _move_in(aside: Path, directory: Path) -> None:
    """Move the data set from `aside` into an existing folder, which could be the user's working directory."""
    moved: list[Path] = []
    try:
        for name in ("images", "labels", *(["classes"] if (aside / "classes").exists() else []), DATALIST_NAME):
            os.rename(aside / name, directory / name)
            moved.append(directory / name)
    except BaseException:
        for path in moved:
            shutil.rmtree(path, ignore_errors=True)
        raise


def sample_dataset(directory: str | Path | None = None, *, modality: Modality = "nuclei") -> Path:
    """Return the folder of the sample data set, which is written on first use.

    Two processes can call this function at the same time. Both then generate the data set, and both use the one that is
    finished first.

    Args:
        directory: folder of the data set; the default is `cellseg_monai/sample-<version>-<modality>` in the user's
            cache, `$XDG_CACHE_HOME` or `~/.cache`.
        modality: see `write_sample_dataset`; ignored if `directory` already contains a data set.

    Returns:
        The folder of the data set.

    Raises:
        FileExistsError: `directory` is not empty and contains no data set.
    """
    if directory is None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        directory = cache / "cellseg_monai" / f"sample-{SAMPLE_VERSION}-{modality}"
    directory = Path(directory).absolute()
    # The datalist is written last, so if it exists, the data set is complete.
    if (directory / DATALIST_NAME).is_file():
        return directory
    try:
        return write_sample_dataset(directory, modality=modality)
    except OSError:
        if (directory / DATALIST_NAME).is_file():  # another process finished first
            return directory
        raise


def _write(
    directory: Path,
    seed: int,
    modality: Modality,
    counts: tuple[int, int, int],
    shape: tuple[int, int],
    images_per_plate: int,
) -> None:
    import tifffile  # slow to import, and rarely needed, because most callers find the data set already written

    for name in ("images", "labels"):
        (directory / name).mkdir(parents=True)
    datalist: Datalist = {section: [] for section in SECTIONS}
    plate, n_plates, n_images = _plate(seed, 0, modality), 0, 0
    for section, count in zip(SECTIONS, counts, strict=True):
        for number in range(count):
            if number % images_per_plate == 0:  # each section begins with a new plate
                plate, n_plates = _plate(seed, n_plates, modality), n_plates + 1
            name = f"{plate.name}_{plate.kind}_{number % images_per_plate + 1:02d}.tif"
            treatment = list(_SHARES)[number % len(_SHARES)]
            picture = _image(seed, n_images, plate, shape, _SHARES[treatment])
            n_images += 1
            tifffile.imwrite(
                directory / "images" / name,
                picture.image,
                compression="zlib",
                predictor=True,
                photometric="minisblack",
                metadata=None,
            )
            write_labels(directory / "labels" / name, picture.labels)
            item: Item = {"image": f"images/{name}", "label": f"labels/{name}", "group": plate.name}
            if picture.classes:
                item["classes"] = f"classes/{Path(name).stem}.csv"
                item["tags"] = {"treatment": treatment}
                _write_classes(directory / item["classes"], picture.classes)
            datalist[section].append(item)
    write_datalist(directory / DATALIST_NAME, datalist)


def _write_classes(path: Path, classes: Sequence[str]) -> None:
    path.parent.mkdir(exist_ok=True)
    with writing_table(path, ["id", "class"]) as table:
        for row in enumerate(classes, start=1):
            table.write(row)


def _plate(seed: int, number: int, modality: Modality) -> _Plate:
    rng = np.random.default_rng([seed, 1, number])
    if modality in ("kinds", "textures"):
        kind_of: dict[str, _Kind] = {"kinds": "shape", "textures": "texture"}
        return _Plate(f"plate{number + 1:02d}", kind_of[modality], 16, float(rng.uniform(20, 30)))
    stained = modality == "nuclei" or (modality == "both" and number % 2 == 0)
    order = number // 2 if modality == "both" else number
    kind: _Kind = "nuclei" if stained else ("phase", "brightfield")[order % 2]
    # Every fourth plate of nuclei has 8 bits. Plates of cells cycle through 8-bit phase contrast, 16-bit bright field,
    # 16-bit phase contrast and 8-bit bright field.
    bits: Bits = 8 if order % 4 in ((3,) if stained else (0, 3)) else 16
    low, high = (18, 30) if stained else (32, 48)
    return _Plate(f"plate{number + 1:02d}", kind, bits, float(rng.uniform(low, high)))


def _image(seed: int, number: int, plate: _Plate, shape: tuple[int, int], share: float) -> SyntheticImage:
    image_seed = np.random.SeedSequence([seed, 2, number])
    if plate.kind == "nuclei":
        return nuclei(shape, seed=image_seed, diameter_px=plate.diameter_px, bits=plate.bits)
    if plate.kind == "shape" or plate.kind == "texture":
        return two_kinds(
            shape, seed=image_seed, differ_in=plate.kind, share=share, diameter_px=plate.diameter_px, bits=plate.bits
        )
    return phase_cells(shape, seed=image_seed, diameter_px=plate.diameter_px, bits=plate.bits, contrast=plate.kind)
