"""The interface of a layout: how its files are found, and how labels are made from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cellseg_monai.faults import Fault

__all__ = ["Notes", "Preparer", "RawContent", "Work"]

Notes = dict[str, int]
"""Counts about the preparation of an image, such as overlapping pixels; they are summed over a data set."""


@dataclass(frozen=True)
class Work:
    """One image to prepare; it can be sent to another process.

    Args:
        stem: stem of the image and its label in the prepared set, unique within a data set.
        image: the raw image file.
        label: source of the labels in the form that the layout needs: a file, several files, or annotations. None for
            an image without labels.
        sources: the raw files behind `label`; when one changes, the image is prepared again.
        group: name of the sequence or well whose images must stay in one section. Empty if unknown.
        section: "training", "validation" or "test" if the data set is published with sections.
        folder: target folder: "images", or "unlabelled" for an image without a label in a set of labelled ones.
        tags: anything else known about the image, such as its cell type; it is written to the datalist.
        notes: counts from listing the files.
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
class RawContent:
    """The content of a raw folder.

    Args:
        works: the images to prepare.
        faults: files that cannot be prepared, because their partner is missing or they are ambiguous.
        copies: files that are copied unchanged, by their path in the prepared set.
        lists: subsets that the raw data define, as lists of stems by name.
    """

    works: list[Work]
    faults: list[Fault] = field(default_factory=list)
    copies: dict[str, Path] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Preparer:
    """A layout in which data sets are published.

    Args:
        name: name of the layout for `--layout`.
        summary: its files, in one line.
        rule: decisions about objects during the preparation; recorded in the prepared set.
        recognises: function of a raw folder that returns True if it is unmistakably of this layout. It is fast, since
            it looks only at names and at a mask or two.
        find: function that returns the content of a raw folder.
        labels: function of a work and the shape of its image (height, width) that returns the label image (YX integers
            of 0 or more) and notes. It raises `UnreadableImageError` or another ValueError if a file is invalid.
    """

    name: str
    summary: str
    rule: str
    recognises: Callable[[Path], bool]
    find: Callable[[Path], RawContent]
    labels: Callable[[Work, tuple[int, int]], tuple[np.ndarray, Notes]]
