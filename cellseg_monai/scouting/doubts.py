"""What is doubtful about a sighting, and about the bundle chosen by it."""

from __future__ import annotations

from collections.abc import Sequence

from cellseg_monai.flag import Flag, Severity
from cellseg_monai.scouting.kinds import KINDS, NONE
from cellseg_monai.scouting.sighting import Sighting, agreed

__all__ = ["differences_between", "doubts_about", "is_unsure_of_size"]

# Standard deviation of the logarithm to base 2 of the diameter, above which the size counts as uncertain: about ±40 %.
_UNSURE = 0.5
# Probability of the likeliest kind below which the kind counts as unknown.
_LEAST_LIKELY = 0.6
# Least probability of either polarity; below it, the polarity counts as certain.
_UNSURE_DARK = 0.15


def doubts_about(
    sighting: Sighting,
    bundle: str | None,
    *,
    suits_any_kind: bool = False,
    needs_size: bool = True,
    needs_polarity: bool = False,
    tried: int = 0,
    given_px: float | None = None,
    given_dark: bool | None = None,
) -> tuple[Flag, ...]:
    """Return flags for an image whose kind is unknown or has no bundle, and for an uncertain size or polarity.

    Args:
        sighting: what was seen.
        bundle: the bundle that segments the image; None if there is none.
        suits_any_kind: True if nobody knows for which kinds the bundle is made.
        needs_size: False if the size of the objects is not taken from the sighting.
        needs_polarity: True if the bundle expects bright objects, so that an image of dark ones is inverted.
        tried: number of sizes that were tried on a window of the image.
        given_px: diameter that the user gave, in pixels of the image; None if the sighting tells it.
        given_dark: True or False if the user said that the objects are dark or bright; None if the sighting tells it.
    """
    doubts = []
    is_misfit = KINDS[sighting.kind].bundle != bundle and not suits_any_kind
    if sighting.kind == NONE or sighting.probability < _LEAST_LIKELY or is_misfit:
        seen = f"{100 * sighting.probability:.0f} % {KINDS[sighting.kind].text}"
        severity: Severity = "note" if suits_any_kind else "serious"
        doubts.append(Flag("unknown kind", f"{seen}; segmented by {bundle or 'no bundle'}", severity))
    low, high = sighting.interval_px
    if given_px is not None and not low <= given_px <= high:
        reason = f"given as {given_px:g} px, but the objects look like {low:.0f} to {high:.0f} px"
        doubts.append(Flag("uncertain size", reason))
    if needs_size and is_unsure_of_size(sighting):
        fit = f"; none of {tried} sizes that were tried fits well" if tried else ""
        doubts.append(Flag("uncertain size", f"the diameter is probably between {low:.0f} and {high:.0f} px{fit}"))
    if not needs_polarity and given_dark is not None:
        reason = f"given, but the bundle {bundle} takes bright and dark objects as they are"
        doubts.append(Flag("uncertain polarity", reason, "note"))
    is_sure = not _UNSURE_DARK < sighting.dark < 1 - _UNSURE_DARK
    if needs_polarity and given_dark is not None and is_sure and given_dark != sighting.is_dark:
        given, seen = ("dark", "bright") if given_dark else ("bright", "dark")
        doubts.append(Flag("uncertain polarity", f"the objects were given as {given}, but they look {seen}"))
    if needs_polarity and given_dark is None and not is_sure:
        taken = "dark, so the image is inverted" if sighting.is_dark else "bright"
        reason = f"the objects are dark with a probability of {100 * sighting.dark:.0f} %; they are taken as {taken}"
        doubts.append(Flag("uncertain polarity", reason))
    return tuple(doubts)


def is_unsure_of_size(sighting: Sighting) -> bool:
    """Return True if the diameter is uncertain by more than about ±40 %."""
    return sighting.spread > _UNSURE


def differences_between(sightings: Sequence[Sighting], bundles: Sequence[str | None]) -> tuple[Flag, ...]:
    """Return a flag that says how the planes of a stack differ, or nothing if they can be segmented in the same way.

    Args:
        sightings: what the planes show that were looked at; at least one.
        bundles: the bundle for each; planes of one kind can differ in it, if there is none for that kind.
    """
    if len(set(bundles)) == 1 and agreed(sightings) is not None:
        return ()
    kinds = " and ".join(dict.fromkeys(KINDS[sighting.kind].text for sighting in sightings))
    sizes = [sighting.diameter_px for sighting in sightings]
    reason = (
        f"the {len(sightings)} planes that were looked at show {kinds}, about {min(sizes):.0f} to {max(sizes):.0f} px; "
        "each plane is segmented in its own way"
    )
    return (Flag("planes differ", reason, "note"),)
