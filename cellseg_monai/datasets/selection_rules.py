"""The rules for selections, which drop images for a stated reason, move them to other sections, or group them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cellseg_monai.data.parallel import map_parallel
from cellseg_monai.data.split import SECTIONS, Item, groups_by_pattern, split_groups
from cellseg_monai.datasets.preparing.label_pixels import without_alpha
from cellseg_monai.digest import text_digest
from cellseg_monai.errors import DatasetError, UnreadableImageError
from cellseg_monai.io import image_stem, read

__all__ = ["RULES", "Candidate"]


@dataclass(frozen=True)
class Candidate:
    """An image that a selection can keep, move or drop.

    Args:
        item: the image's item in a datalist, with absolute paths.
        section: current section of the image.
        name: name of the raw image file, whose suffix `keep_suffix` checks.
        lists: names of the published lists that contain the image.
        dropped: reason why the image was dropped; empty if it has not been dropped.
    """

    item: Item
    section: str
    name: str
    lists: Collection[str] = ()
    dropped: str = ""

    @property
    def stem(self) -> str:
        """The stem of the image file in the data set."""
        return image_stem(self.item["image"])


def keep_suffix(candidates: Sequence[Candidate], *, suffixes: list[str]) -> list[Candidate]:
    """Drop the images whose raw file has none of the given suffixes, ignoring case."""
    wanted = {suffix.lower() for suffix in suffixes}

    def reason(candidate: Candidate) -> str:
        suffix = Path(candidate.name).suffix
        return "" if suffix.lower() in wanted else f"the suffix is {suffix}, and only {' and '.join(suffixes)} are kept"

    return _drop(candidates, reason)


def keep_grey(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Drop colour images. An image is grey if all its channels except alpha are equal."""
    images = [candidate.item["image"] for candidate in candidates if not candidate.dropped]
    reasons = dict(map_parallel(_colour, images, title="checking for colour"))
    return _drop(candidates, lambda candidate: reasons[candidate.item["image"]])


def keep_listed(candidates: Sequence[Candidate], *, listed_in: str, section: str) -> list[Candidate]:
    """Drop the images in a section that a published list does not contain."""
    _check_sections(section)
    known = sorted({name for candidate in candidates for name in candidate.lists})
    if listed_in not in known:
        raise DatasetError(
            f"this data set was prepared without a list named {listed_in!r} (available: {', '.join(known) or 'none'}); "
            "add the list to the raw folder, next to the other annotations, and prepare the data set again"
        )
    return _drop(candidates, lambda candidate: "" if listed_in in candidate.lists else f"not in {listed_in}", section)


def sample(candidates: Sequence[Candidate], *, images: int, seed: int, section: str) -> list[Candidate]:
    """Keep a random sample of the images in a section. With the same seed, a larger sample contains a smaller one."""
    _check_sections(section)
    available = [candidate for candidate in candidates if candidate.section == section and not candidate.dropped]
    if not 1 <= images <= len(available):
        raise DatasetError(f"got images={images}, expected 1 to {len(available)}, the number of images in {section}")
    ranked = sorted(available, key=lambda candidate: (text_digest(f"{seed}:{candidate.stem}"), candidate.stem))
    chosen = {candidate.stem for candidate in ranked[:images]}
    reason = f"not among the {images} images drawn with seed {seed}"
    return _drop(candidates, lambda candidate: "" if candidate.stem in chosen else reason, section)


def move(candidates: Sequence[Candidate], *, section: str, to: str) -> list[Candidate]:
    """Move all images in one section to another."""
    _check_sections(section, to)
    return [replace(candidate, section=to) if candidate.section == section else candidate for candidate in candidates]


def hold_out(candidates: Sequence[Candidate], *, images: int, take: str, section: str, to: str) -> list[Candidate]:
    """Move the first or last images in a section, sorted by stem, to another section."""
    _check_sections(section, to)
    if take not in ("first", "last"):
        raise ValueError(f"got take={take!r}, expected first or last")
    stems = sorted(candidate.stem for candidate in candidates if candidate.section == section and not candidate.dropped)
    if not 1 <= images < len(stems):
        raise DatasetError(
            f"got images={images} to hold out, expected at least 1 and fewer than the {len(stems)} images in {section}"
        )
    held_out = set(stems[:images] if take == "first" else stems[-images:])
    return [
        replace(candidate, section=to) if candidate.section == section and candidate.stem in held_out else candidate
        for candidate in candidates
    ]


def regroup(candidates: Sequence[Candidate], *, pattern: str) -> list[Candidate]:
    """Group images by the part of their stems that the first group in a regular expression matches."""
    groups = groups_by_pattern([candidate.stem for candidate in candidates], pattern, Path("the data set"))
    return [replace(candidate, item={**candidate.item, "group": groups[candidate.stem]}) for candidate in candidates]


def split(candidates: Sequence[Candidate], *, seed: int, validation: float, test: float) -> list[Candidate]:
    """Split the remaining images into new sections, keeping groups together."""
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
"""Every rule, keyed by its name in a selection."""


def _check_sections(*names: str) -> None:
    for name in names:
        if name not in SECTIONS:
            raise ValueError(f"got the section {name!r}, expected one of {', '.join(SECTIONS)}")


def _drop(
    candidates: Sequence[Candidate], reason: Callable[[Candidate], str], section: str | None = None
) -> list[Candidate]:
    """Drop the candidates, in one section or in all sections, for which the function returns a reason."""
    return [
        candidate
        if candidate.dropped or section not in (None, candidate.section)
        else replace(candidate, dropped=reason(candidate))
        for candidate in candidates
    ]


def _colour(path: str) -> str:
    """Return the reason why an image does not count as grey; empty if it is grey."""
    try:
        image = read(path)
    except UnreadableImageError as error:
        return f"cannot be read: {error.reason}"
    channels = without_alpha(image)
    different = int((channels != channels[..., :1, :, :]).any(axis=-3).sum())
    total = channels[..., 0, :, :].size
    return f"its {channels.shape[-3]} channels differ in {different} of {total} pixels" if different else ""
