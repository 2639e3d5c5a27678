"""The interface that every layout implements: finding the raw files, and making labels from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cellseg_monai.faults import Fault

__all__ = ["Notes", "Preparer", "RawContent", "Work"]

Notes = dict[str, int]
"""Counts from the preparation of an image, such as overlapping pixels, to be summed over a data set."""


@dataclass(frozen=True)
class Work:
    """An image to prepare, in a form that can be sent to another process.

    Args:
        stem: stem of the image and label files in the prepared set, unique within a data set.
        image: the raw image file.
        label: source of the labels, in whatever form the layout needs: a file, several files, or annotations. None for
            an image without labels.
        sources: the raw files that `label` refers to. If one of them changes, the image is prepared again.
        group: well or sequence that the image belongs to; empty if unknown. All images in a group must be in the same
            section.
        section: published section of the image: "training", "validation" or "test". None if not published.
        folder: target folder: "images", or "unlabelled" for an image without labels in a labelled data set.
        tags: other facts about the image, such as its cell type, to be written to the datalist.
        notes: counts from the listing of raw files.
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
        works: images to prepare.
        faults: faults found while listing the files, such as missing partners and ambiguous names.
        copies: files to copy unchanged, keyed by their path in the prepared set.
        lists: published subsets, as lists of stems, keyed by name.
    """

    works: list[Work]
    faults: list[Fault] = field(default_factory=list)
    copies: dict[str, Path] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Preparer:
    """A published layout, and the functions that prepare it.

    Args:
        name: name of the layout for `--layout`.
        summary: one-line description of the layout's files.
        rule: decisions made about objects during preparation, recorded in the prepared set.
        recognises: function that takes a raw folder and returns True if it clearly has this layout. It must be fast, so
            it looks only at names and a few files.
        find: function that takes a raw folder and returns its content.
        labels: function that takes a `Work` and the (height, width) of its image, and returns the label image (YX,
            non-negative integers) and notes. If a file is invalid, it raises `UnreadableImageError` or another
            ValueError.
    """

    name: str
    summary: str
    rule: str
    recognises: Callable[[Path], bool]
    find: Callable[[Path], RawContent]
    labels: Callable[[Work, tuple[int, int]], tuple[np.ndarray, Notes]]
