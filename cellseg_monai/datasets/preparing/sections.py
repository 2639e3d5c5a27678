"""Which section each prepared image belongs to."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from cellseg_monai.data.split import SECTIONS, Datalist, Item, complete_sections, split_groups
from cellseg_monai.datasets.preparing.conversion import Row
from cellseg_monai.datasets.preparing.preparer import Work

__all__ = ["divide"]

_SEED = 0


def divide(works: Sequence[Work], rows: Mapping[str, Row]) -> tuple[Datalist, str]:
    """The datalist of a prepared set, and in a sentence where its sections come from.

    Published sections are kept; an image that they leave out is for training. Where none are published, groups are
    split by a seed. Images without labels are for test, if the set has no others; else they are not listed.

    Args:
        works: all images that were prepared.
        rows: what became of them, by stem.

    Returns:
        Items with paths relative to the prepared set, sorted by them.
    """
    listed = sorted((work for work in works if work.folder == "images"), key=lambda work: rows[work.stem]["image"])
    if not any(work.label is not None for work in listed):
        section_of, said = (
            dict.fromkeys((work.stem for work in listed), "test"),
            "no image has labels: all are for test",
        )
    elif not any(work.section for work in listed):
        by_group = split_groups(Counter(_group(work) for work in listed), seed=_SEED)
        section_of = {work.stem: by_group[_group(work)] for work in listed}
        said = f"none published: 70, 15 and 15 % by groups, seed {_SEED}"
    else:
        return _published(listed, rows)
    sections: Datalist = {section: [] for section in SECTIONS}
    for work in listed:
        sections[section_of[work.stem]].append(_item(work, rows[work.stem], _group(work)))
    return sections, said


def _published(works: Sequence[Work], rows: Mapping[str, Row]) -> tuple[Datalist, str]:
    """The sections that a data set is published with; groups that lie across them are none."""
    homes: dict[str, set[str]] = defaultdict(set)
    for work in works:
        homes[_group(work)].add(work.section or "training")
    across = sorted(group for group, found in homes.items() if len(found) > 1)
    sections: Datalist = {section: [] for section in SECTIONS}
    for work in works:
        group = work.stem if _group(work) in across else _group(work)
        sections[work.section or "training"].append(_item(work, rows[work.stem], group))
    said = f"as published: {', '.join(sorted({work.section for work in works if work.section}))}"
    unlisted = sum(work.section is None for work in works)
    if unlisted:
        said += f"; for training also: {unlisted} image(s) of which nothing is published"
    if not (sections["validation"] and sections["test"]):
        said += f"; of training about 15 % by groups are for validation, seed {_SEED}"
    if across:
        said += (
            f"; {len(across)} groups (wells, sequences), such as {across[0]}, are in several of them, so that scores "
            "on them may flatter: `cellseg data select` has splits that keep groups together"
        )
    complete_sections(sections, _SEED)
    return sections, said


def _group(work: Work) -> str:
    return work.group or work.stem


def _item(work: Work, row: Row, group: str) -> Item:
    item: Item = {"image": row["image"], "group": group}
    if "label" in row:
        item["label"] = row["label"]
    if work.tags:
        item["tags"] = dict(work.tags)
    return item
