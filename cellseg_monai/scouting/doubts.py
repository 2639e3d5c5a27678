"""What is doubtful about a sighting, and about the bundle chosen by it."""

from __future__ import annotations

from cellseg_monai.flag import Flag
from cellseg_monai.scouting.kinds import KINDS, NONE
from cellseg_monai.scouting.sighting import Sighting

__all__ = ["doubts_about"]

# Standard deviation of the logarithm to base 2 of the diameter, above which the size counts as uncertain: about ±40 %.
_UNSURE = 0.5
# Probability of the likeliest kind below which the kind counts as unknown.
_LEAST_LIKELY = 0.6


def doubts_about(sighting: Sighting, bundle: str | None, *, needs_size: bool = True) -> tuple[Flag, ...]:
    """Return flags for an image whose kind is unknown or has no bundle, and for an uncertain size.

    Args:
        sighting: what was seen.
        bundle: the bundle that segments the image; None if there is none.
        needs_size: False if the size of the objects is not taken from the sighting.
    """
    doubts = []
    own = KINDS[sighting.kind].bundle
    if sighting.kind == NONE or sighting.probability < _LEAST_LIKELY or own != bundle:
        seen = f"{100 * sighting.probability:.0f} % {KINDS[sighting.kind].text}"
        doubts.append(Flag("unknown kind", f"{seen}; segmented by {bundle or 'no bundle'}", "serious"))
    if needs_size and sighting.spread > _UNSURE:
        low, high = sighting.interval_px
        doubts.append(Flag("uncertain size", f"the diameter is probably between {low:.0f} and {high:.0f} px"))
    return tuple(doubts)
