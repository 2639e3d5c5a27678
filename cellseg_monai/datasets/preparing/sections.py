"""Assigning prepared images to sections."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from cellseg_monai.data.split import SECTIONS, Datalist, Item, complete_sections, split_groups
from cellseg_monai.datasets.preparing.conversion import Row
from cellseg_monai.datasets.preparing.preparer import Work

__all__ = ["divide"]

_SEED = 0


def divide(works: Sequence[Work], rows: Mapping[str, Row]) -> tuple[Datalist, str]:
    """Return the datalist of a prepared set, and a sentence that says where the sections come from.

    Published sections are kept, and images without a published section go to training. If no sections were published,
    groups are split at random with a fixed seed. If no image has labels, all images go to test; otherwise images
    without labels are not listed.

    Args:
        works: all prepared images.
        rows: row of each image, keyed by stem; see `conversion.convert`.

    Returns:
        The datalist, with items sorted by path and paths relative to the prepared set; and the sentence.
    """
    listed = sorted((work for work in works if work.folder == "images"), key=lambda work: rows[work.stem]["image"])
    if not any(work.label is not None for work in listed):
        section_of = dict.fromkeys((work.stem for work in listed), "test")
        origin = "no image has labels, so all images go to test"
    elif not any(work.section for work in listed):
        by_group = split_groups(Counter(_group(work) for work in listed), seed=_SEED)
        section_of = {work.stem: by_group[_group(work)] for work in listed}
        origin = f"none published, so groups were split 70, 15 and 15 % with seed {_SEED}"
    else:
        return _published(listed, rows)
    sections: Datalist = {section: [] for section in SECTIONS}
    for work in listed:
        sections[section_of[work.stem]].append(_item(work, rows[work.stem], _group(work)))
    return sections, origin


def _published(works: Sequence[Work], rows: Mapping[str, Row]) -> tuple[Datalist, str]:
    """Return the published sections; if a group is in several of them, each of its images becomes its own group."""
    homes: dict[str, set[str]] = defaultdict(set)
    for work in works:
        homes[_group(work)].add(work.section or "training")
    across = sorted(group for group, its_sections in homes.items() if len(its_sections) > 1)
    sections: Datalist = {section: [] for section in SECTIONS}
    for work in works:
        group = work.stem if _group(work) in across else _group(work)
        sections[work.section or "training"].append(_item(work, rows[work.stem], group))
    origin = f"as published: {', '.join(sorted({work.section for work in works if work.section}))}"
    unlisted = sum(work.section is None for work in works)
    if unlisted:
        origin += f"; {unlisted} image(s) without a published section go to training"
    if not (sections["validation"] and sections["test"]):
        origin += f"; about 15 % of the training images, in whole groups, go to validation (seed {_SEED})"
    if across:
        origin += (
            f"; {len(across)} groups (wells, sequences), such as {across[0]}, are in several sections, so scores can "
            "be too high: `cellseg data select` offers splits that keep groups together"
        )
    complete_sections(sections, _SEED)
    return sections, origin


def _group(work: Work) -> str:
    return work.group or work.stem


def _item(work: Work, row: Row, group: str) -> Item:
    item: Item = {"image": row["image"], "group": group}
    if "label" in row:
        item["label"] = row["label"]
    if work.tags:
        item["tags"] = dict(work.tags)
    return item
