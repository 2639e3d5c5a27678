"""What a layout is to the runner: how its files are found, and how labels are made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cellseg_monai.faults import Fault

__all__ = ["Found", "Notes", "Preparer", "Work"]

Notes = dict[str, int]
"""Counts of what was done to an image, such as overlapping pixels; they add up over a data set."""


@dataclass(frozen=True)
class Work:
    """One image to prepare; it is sent to another process.

    Args:
        stem: of the image and its label in the prepared set; no two works share one.
        image: the raw file.
        label: what the layout makes the labels of: a file, several, annotations. None for an image without.
        sources: the raw files that `label` stands for; when one changes, the image is prepared again.
        group: what must stay in one section: a sequence, a well. Empty if nobody knows.
        section: "training", "validation" or "test" if the data set is published with such.
        folder: where the image goes: "images", or "unlabelled" for one that comes without a label in a set of
            labelled ones.
        tags: what else is known of the image, such as its cell type; it goes into the datalist.
        notes: what was found out while listing the files.
    """

    stem: str
    image: Path
    label: Any = None
    sources: tuple[Path, ...] = ()
    group: str = ""
    section: str | None = None
    folder: Literal["images", "unlabelled"] = "images"
    tags: Mapping[str, str | float] = field(default_factory=dict)
    notes: Notes = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """What lies in a raw folder.

    Args:
        works: the images to prepare.
        faults: files that cannot be: partnerless, ambiguous.
        copies: files that are copied as they are, by their place in the prepared set.
        lists: subsets that the raw data define by name, as stems.
    """

    works: list[Work]
    faults: list[Fault] = field(default_factory=list)
    copies: dict[str, Path] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Preparer:
    """A layout in which data sets are published.

    Args:
        name: for `--layout`.
        summary: its files, in one line.
        rule: what is decided about objects on the way; recorded in the prepared set.
        recognises: whether a raw folder is unmistakably of this layout. Cheap: it looks at names, and at a mask
            or two.
        find: the works of a raw folder.
        labels: the label image of a work, (Y, X) integers of 0 or more, and notes; gets the work and the (Y, X) of its
            image. Raises `UnreadableImageError` or another ValueError where a file is not what it should be.
    """

    name: str
    summary: str
    rule: str
    recognises: Callable[[Path], bool]
    find: Callable[[Path], Found]
    labels: Callable[[Work, tuple[int, int]], tuple[np.ndarray, Notes]]
