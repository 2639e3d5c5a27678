"""The steps of selections: each drops images with a reason, or moves them to another section."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cellseg_monai.data.parallel import map_parallel
from cellseg_monai.data.split import SECTIONS, Item, groups_by_pattern, split_groups
from cellseg_monai.datasets.preparing.label_pixels import without_alpha
from cellseg_monai.errors import DatasetError, UnreadableImageError
from cellseg_monai.io import image_stem, read

__all__ = ["RULES", "Candidate"]


@dataclass(frozen=True)
class Candidate:
    """An image that a selection keeps, moves or drops.

    Args:
        item: item of a datalist, with absolute paths.
        section: current section of the image.
        name: name of its raw file, whose suffix counts.
        lists: names of the published subsets that contain it.
        dropped: reason why it was dropped; empty if it was not.
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
    """Drop the images whose raw file has none of these suffixes, in any case."""
    wanted = {suffix.lower() for suffix in suffixes}

    def reason(candidate: Candidate) -> str:
        suffix = Path(candidate.name).suffix
        return "" if suffix.lower() in wanted else f"it is {suffix}, and only {' and '.join(suffixes)} are kept"

    return _drop(candidates, reason)


def keep_grey(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Drop colour images: a grey image has one channel, or equal channels, apart from alpha."""
    images = [candidate.item["image"] for candidate in candidates if not candidate.dropped]
    reasons = dict(map_parallel(_colour, images, title="looking for colour"))
    return _drop(candidates, lambda candidate: reasons[candidate.item["image"]])


def keep_listed(candidates: Sequence[Candidate], *, listed_in: str, section: str) -> list[Candidate]:
    """Drop the images of a section that are not in a published list."""
    _check_sections(section)
    known = sorted({name for candidate in candidates for name in candidate.lists})
    if listed_in not in known:
        raise DatasetError(
            f"got listed_in={listed_in!r}, expected one of the lists from which this data set was prepared "
            f"({', '.join(known) or 'there are none'}); put the file of that name next to the other annotations, and "
            "prepare again"
        )
    return _drop(candidates, lambda candidate: "" if listed_in in candidate.lists else f"not in {listed_in}", section)


def sample(candidates: Sequence[Candidate], *, images: int, seed: int, section: str) -> list[Candidate]:
    """Keep a number of images of a section, chosen by a seed; larger samples of a seed contain smaller ones."""
    _check_sections(section)
    available = [candidate for candidate in candidates if candidate.section == section and not candidate.dropped]
    if not 1 <= images <= len(available):
        raise DatasetError(f"got images={images}, expected 1 to {len(available)}, the number of images for {section}")
    ranked = sorted(
        available, key=lambda candidate: (hashlib.sha256(f"{seed}:{candidate.stem}".encode()).digest(), candidate.stem)
    )
    chosen = {candidate.stem for candidate in ranked[:images]}
    reason = f"not among the {images} drawn with seed {seed}"
    return _drop(candidates, lambda candidate: "" if candidate.stem in chosen else reason, section)


def move(candidates: Sequence[Candidate], *, section: str, to: str) -> list[Candidate]:
    """Move all images of a section to another section."""
    _check_sections(section, to)
    return [replace(candidate, section=to) if candidate.section == section else candidate for candidate in candidates]


def hold_out(candidates: Sequence[Candidate], *, images: int, take: str, section: str, to: str) -> list[Candidate]:
    """Move a number of images of a section, the first or last by name, to another section."""
    _check_sections(section, to)
    if take not in ("first", "last"):
        raise ValueError(f"got take={take!r}, expected first or last")
    stems = sorted(candidate.stem for candidate in candidates if candidate.section == section and not candidate.dropped)
    if not 1 <= images < len(stems):
        raise DatasetError(
            f"got images={images} to hold out, expected at least 1 and fewer than the {len(stems)} images for {section}"
        )
    held_out = set(stems[:images] if take == "first" else stems[-images:])
    return [
        replace(candidate, section=to) if candidate.section == section and candidate.stem in held_out else candidate
        for candidate in candidates
    ]


def regroup(candidates: Sequence[Candidate], *, pattern: str) -> list[Candidate]:
    """Group images by the first bracket of a regular expression that is searched in their stems."""
    groups = groups_by_pattern([candidate.stem for candidate in candidates], pattern, Path("the data set"))
    return [replace(candidate, item={**candidate.item, "group": groups[candidate.stem]}) for candidate in candidates]


def split(candidates: Sequence[Candidate], *, seed: int, validation: float, test: float) -> list[Candidate]:
    """Divide the remaining images into new sections, keeping groups together."""
    sizes = Counter(candidate.item["group"] for candidate in candidates if not candidate.dropped)
    section_of = split_groups(sizes, seed=seed, validation=validation, test=test)
    return [
        candidate if candidate.dropped else replace(candidate, section=section_of[candidate.item["group"]])
        for candidate in candidates
    ]


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
"""The possible steps of a selection, by their names in JSON files."""


def _check_sections(*names: str) -> None:
    for name in names:
        if name not in SECTIONS:
            raise ValueError(f"got the section {name!r}, expected one of {', '.join(SECTIONS)}")


def _drop(
    candidates: Sequence[Candidate], reason: Callable[[Candidate], str], section: str | None = None
) -> list[Candidate]:
    """Drop the candidates, of one section or of all, for which the function returns a reason."""
    return [
        candidate
        if candidate.dropped or section not in (None, candidate.section)
        else replace(candidate, dropped=reason(candidate))
        for candidate in candidates
    ]


def _colour(path: str) -> str:
    """The reason why an image is not grey; empty if it is grey."""
    try:
        image = read(path)
    except UnreadableImageError as error:
        return f"it cannot be read: {error.reason}"
    channels = without_alpha(image)
    different = int((channels != channels[..., :1, :, :]).any(axis=-3).sum())
    total = channels[..., 0, :, :].size
    return f"{channels.shape[-3]} channels that differ in {different} of {total} pixels" if different else ""
