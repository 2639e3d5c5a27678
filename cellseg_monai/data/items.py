"""Select the items for training, evaluation and inference."""

from __future__ import annotations

import os
from pathlib import Path

from cellseg_monai.data.datalist import DATALIST_NAME, gather, load_datalist
from cellseg_monai.data.index_file import INDEX_NAME
from cellseg_monai.data.layout import list_images, scan
from cellseg_monai.data.split import SECTIONS, Datalist, Item, item_of
from cellseg_monai.data.tags import complete_tags
from cellseg_monai.errors import DatasetError
from cellseg_monai.faults import dataset_error, place_of
from cellseg_monai.io import image_stem
from cellseg_monai.io.image_sets import one_per_image

__all__ = ["calibration_items", "image_items", "is_dataset", "section_items"]


def section_items(
    dataset_dir: str | Path,
    section: str,
    datalist: str | Path | None = None,
    seed: int = 0,
    labelled: bool = True,
) -> list[Item]:
    """Return the items in one section of a data set; `load_datalist` describes where the sections come from.

    Args:
        dataset_dir: folder of the data set.
        section: "training", "validation" or "test".
        datalist: a JSON file to use instead of the data set's own list.
        seed: seed for a split made here; not the training seed, see `load_datalist`.
        labelled: True to require a label for every item.

    Returns:
        Items with absolute paths, and with every tag that occurs in the data set (see `tags.complete_tags`); never an
        empty list.

    Raises:
        DatasetError: the folder contains no data set, the section is empty, or labels are missing.
        ValueError: there is no section with that name.
    """
    if section not in SECTIONS:
        raise ValueError(f"got section={section!r}, expected one of {', '.join(SECTIONS)}; choose one")
    dataset = Path(os.path.abspath(dataset_dir))
    if datalist is None and not is_dataset(dataset):
        raise DatasetError(
            f"{dataset}: no data set found, expected {DATALIST_NAME}, {INDEX_NAME} with the columns image_id and "
            "split, or images/ with labels/ next to it; pass a folder that contains one of these, "
            "or write an example with `cellseg data sample DIR`"
        )
    sections = load_datalist(dataset, datalist, seed=seed)
    items = _with_all_tags(sections)[section]
    if not items:
        hint = "" if labelled else ', or use the section "all" for every image'
        counts = ", ".join(f"{len(sections[name])} for {name}" for name in SECTIONS)
        raise DatasetError(
            f"{dataset}: no items for {section} ({counts}); add images or groups of images, or list the items "
            f"for {section} in a {DATALIST_NAME} (`cellseg data split DIR` writes one){hint}"
        )
    if labelled:
        _check_labelled(items, dataset, f"for {section}")
    return items


def image_items(
    dataset_dir: str | Path,
    section: str = "test",
    datalist: str | Path | None = None,
    seed: int = 0,
) -> list[Item]:
    """Return the images to segment: a section of a data set, or every image in a plain folder.

    Args:
        dataset_dir: folder of a data set, or any folder with images (or with only a folder `images/`).
        section: "training", "validation" or "test" for a section of a data set, or "all"; ignored for a plain folder,
            which has no sections.
        datalist: a JSON file to use instead of the data set's own list.
        seed: seed for a split made here; not the training seed, see `load_datalist`.

    Returns:
        Items with absolute paths, with `label` for labelled images; never an empty list.

    Raises:
        DatasetError: there are no images.
        ValueError: there is no section with this name.
    """
    if section not in (*SECTIONS, "all"):
        raise ValueError(f"got section={section!r}, expected one of {', '.join(SECTIONS)}, all; choose one")
    folder = Path(os.path.abspath(dataset_dir))
    if datalist is None and not is_dataset(folder):
        return _plain(folder)
    if section != "all":
        return section_items(folder, section, datalist, seed, labelled=False)
    if datalist is not None or (folder / DATALIST_NAME).is_file():
        sections = load_datalist(folder, datalist, seed=seed)
        items = [item for items in _with_all_tags(sections).values() for item in items]
    else:
        layout = scan(folder)
        if layout.repeated:
            raise dataset_error(folder, layout.repeated_faults())
        items = [item_of(layout, stem, stem) for stem in layout.images]
    if not items:
        raise DatasetError(f"{folder}: no images found; add images to images/, or list them in a datalist")
    return items


def calibration_items(
    dataset_dir: str | Path,
    section: str = "validation",
    datalist: str | Path | None = None,
    seed: int = 0,
) -> list[Item]:
    """Return the annotated images for choosing settings, which are never the images on which scores are reported.

    Args:
        dataset_dir: folder of the data set.
        section: "validation" or "training" for a section of the data set; or "all", which suits a few annotated images
            of your own. "all" means every image except those that the data set itself holds back for testing.
        datalist: a JSON file to use instead of the data set's own list.
        seed: seed for a split made here; not the training seed, see `load_datalist`.

    Returns:
        Items with absolute paths, each with a label; never an empty list.

    Raises:
        DatasetError: the section is "test", there are no images, or labels are missing.
        ValueError: there is no section with this name.
    """
    if section == "test":
        raise DatasetError(
            "got the section test, whose images are reserved for scores and cannot be used to choose settings; "
            "use validation"
        )
    if section != "all":
        return section_items(dataset_dir, section, datalist, seed)
    dataset = Path(os.path.abspath(dataset_dir))
    items = image_items(dataset, "all", datalist, seed)
    if datalist is not None or (dataset / DATALIST_NAME).is_file() or (dataset / INDEX_NAME).is_file():
        declared = gather(dataset, datalist, seed=seed)
        if declared.faults:
            raise dataset_error(dataset, declared.faults)
        # A split made here, rather than declared by the data set, holds nothing back.
        held_back = {item["image"] for item in declared.sections["test"] if declared.source != "split"}
        items = [item for item in items if item["image"] not in held_back]
        if not items:
            raise DatasetError(f"{dataset}: every image is held back for testing; add annotated images for calibration")
    _check_labelled(items, dataset, "for calibration")
    return items


def _with_all_tags(sections: Datalist) -> Datalist:
    """Give every item all tags in the data set, so that items can be batched; see `complete_tags`."""
    completed = iter(complete_tags(item.get("tags", {}) for items in sections.values() for item in items))
    return {
        section: [{**item, "tags": tags} if (tags := next(completed)) else item for item in items]
        for section, items in sections.items()
    }


def _check_labelled(items: list[Item], dataset: Path, purpose: str) -> None:
    unlabelled = [place_of(Path(item["image"]), dataset) for item in items if "label" not in item]
    if unlabelled:
        shown = ", ".join(unlabelled[:10]) + (f" and {len(unlabelled) - 10} more" if len(unlabelled) > 10 else "")
        raise DatasetError(
            f"{dataset}: {len(unlabelled)} of {len(items)} images {purpose} have no label: {shown}; add label "
            f"images with the same stems to labels/, or list only labelled images in a {DATALIST_NAME}"
        )


def is_dataset(folder: Path) -> bool:
    """Return True if the folder has a list of its sections, or labels next to its images."""
    return (folder / DATALIST_NAME).is_file() or (
        (folder / "images").is_dir() and ((folder / "labels").is_dir() or (folder / INDEX_NAME).is_file())
    )


def _plain(folder: Path) -> list[Item]:
    paths = list_images(folder)
    if not paths and (folder / "images").is_dir():
        paths = list_images(folder / "images")
    if not paths:
        raise DatasetError(
            f"{folder}: no images in this folder or in its images/; pass a folder with TIFF, PNG or other "
            "images, or a data set with images/ and labels/"
        )
    whole = one_per_image((path, path) for path in paths)
    return [{"image": str(path), "group": image_stem(path)} for path in whole]
