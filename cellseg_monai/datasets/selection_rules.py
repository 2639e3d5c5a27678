"""The steps that selections are made of: each drops images with a reason, or moves them to another section."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cellseg_monai.data.parallel import each
from cellseg_monai.data.split import SECTIONS, Item, groups_by_pattern, split_groups
from cellseg_monai.datasets.preparing.label_pixels import without_alpha
from cellseg_monai.errors import DatasetError, UnreadableImageError
from cellseg_monai.io import image_stem, read

__all__ = ["RULES", "Candidate"]


@dataclass(frozen=True)
class Candidate:
    """An image that a selection decides about.

    Args:
        item: as in a datalist, with absolute paths.
        section: where it is now.
        name: of the raw file that it came from, whose suffix counts.
        lists: the subsets of the raw data that have it.
        dropped: why it was dropped; empty if it was not.
    """

    item: Item
    section: str
    name: str
    lists: Collection[str] = ()
    dropped: str = ""

    @property
    def stem(self) -> str:
        """The stem of the image in the data set."""
        return image_stem(self.item["image"])


def keep_suffix(candidates: Sequence[Candidate], *, suffixes: list[str]) -> list[Candidate]:
    """Drop what was not of these suffixes, in any case."""
    wanted = {suffix.lower() for suffix in suffixes}

    def reason(one: Candidate) -> str:
        suffix = Path(one.name).suffix
        return "" if suffix.lower() in wanted else f"it is {suffix}, and only {' and '.join(suffixes)} are taken"

    return _drop(candidates, reason)


def keep_grey(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Drop colour images: grey has one channel, or channels that are equal, alpha aside."""
    images = [one.item["image"] for one in candidates if not one.dropped]
    said = dict(each(_colour, images, doing="looking for colour"))
    return _drop(candidates, lambda one: said[one.item["image"]])


def keep_listed(candidates: Sequence[Candidate], *, listed_in: str, section: str) -> list[Candidate]:
    """Drop from a section what a list of the raw data lacks."""
    _check_sections(section)
    known = sorted({name for one in candidates for name in one.lists})
    if listed_in not in known:
        others = f"there were {', '.join(known)}" if known else "nor was any other"
        raise DatasetError(
            f"no list {listed_in!r} was there when this data set was prepared ({others}); put the file of that name "
            "beside the other annotations, and prepare again"
        )
    return _drop(candidates, lambda one: "" if listed_in in one.lists else f"not in {listed_in}", section)


def sample(candidates: Sequence[Candidate], *, images: int, seed: int, section: str) -> list[Candidate]:
    """Keep so many images of a section, chosen by a seed; more images of one seed contain fewer."""
    _check_sections(section)
    there = [one for one in candidates if one.section == section and not one.dropped]
    if not 1 <= images <= len(there):
        raise DatasetError(
            f"{images} images of {section} asked for, of which there are {len(there)}; ask for 1 to that"
        )
    ranked = sorted(there, key=lambda one: (hashlib.sha256(f"{seed}:{one.stem}".encode()).digest(), one.stem))
    chosen = {one.stem for one in ranked[:images]}
    reason = f"not among the {images} drawn with seed {seed}"
    return _drop(candidates, lambda one: "" if one.stem in chosen else reason, section)


def move(candidates: Sequence[Candidate], *, section: str, to: str) -> list[Candidate]:
    """Move all images of a section to another."""
    _check_sections(section, to)
    return [replace(one, section=to) if one.section == section else one for one in candidates]


def hold_out(candidates: Sequence[Candidate], *, images: int, take: str, section: str, to: str) -> list[Candidate]:
    """Move the first or last so many images of a section, sorted by name, to another."""
    _check_sections(section, to)
    if take not in ("first", "last"):
        raise ValueError(f"take {take!r}: expected first or last")
    stems = sorted(one.stem for one in candidates if one.section == section and not one.dropped)
    if not 1 <= images < len(stems):
        raise DatasetError(f"{images} images of {section} to hold out of {len(stems)}; ask for fewer, and at least one")
    held = set(stems[:images] if take == "first" else stems[-images:])
    return [replace(one, section=to) if one.section == section and one.stem in held else one for one in candidates]


def regroup(candidates: Sequence[Candidate], *, pattern: str) -> list[Candidate]:
    """Group images by the first bracket of a regular expression, searched in their stems."""
    groups = groups_by_pattern([one.stem for one in candidates], pattern, Path("the data set"))
    return [replace(one, item={**one.item, "group": groups[one.stem]}) for one in candidates]


def split(candidates: Sequence[Candidate], *, seed: int, validation: float, test: float) -> list[Candidate]:
    """Divide what is left among the sections anew, by whole groups."""
    sizes = Counter(one.item["group"] for one in candidates if not one.dropped)
    section_of = split_groups(sizes, seed=seed, validation=validation, test=test)
    return [one if one.dropped else replace(one, section=section_of[one.item["group"]]) for one in candidates]


RULES: dict[str, Callable[..., list[Candidate]]] = {
    "keep_suffix": keep_suffix,
    "keep_grey": keep_grey,
    "keep_listed": keep_listed,
    "sample": sample,
    "move": move,
    "hold_out": hold_out,
    "regroup": regroup,
    "split": split,
}
"""What a step of a selection may be, by the names that its JSON file uses."""


def _check_sections(*names: str) -> None:
    for name in names:
        if name not in SECTIONS:
            raise ValueError(f"section {name!r}: expected one of {', '.join(SECTIONS)}")


def _drop(
    candidates: Sequence[Candidate], reason: Callable[[Candidate], str], section: str | None = None
) -> list[Candidate]:
    """Drop the candidates, of a section or all, for which there is a reason."""
    return [
        one if one.dropped or section not in (None, one.section) else replace(one, dropped=reason(one))
        for one in candidates
    ]


def _colour(path: str) -> str:
    """Why an image is not grey; empty if it is."""
    try:
        image = read(path)
    except UnreadableImageError as error:
        return f"it cannot be read: {error.reason}"
    channels = without_alpha(image)
    different = int((channels != channels[..., :1, :, :]).any(axis=-3).sum())
    total = channels[..., 0, :, :].size
    return f"{channels.shape[-3]} channels that differ in {different} of {total} pixels" if different else ""
