"""Images whose names say that they belong together: fields of one well, frames of one time lapse."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from cellseg_monai.faults import Fault

__all__ = ["ungrouped"]

# What acquisition programs write before a number: time, stage position or site, field, plane, tile. F and P
# are rows of a plate where they are capitals.
_MARKS = "f|p|(?i:t|time|frame|pos|position|s|site|series|field|fov|z|slice|plane|tile)"


def ungrouped(stems: Iterable[str]) -> Fault | None:
    """A warning if names fall into families, which a split by single images would tear apart.

    All images under one name and a number say nothing: that is how most sets are numbered.

    Args:
        stems: of the images.

    >>> fault = ungrouped(["p1_A01_s1", "p1_A01_s2", "p1_A02_s1", "p1_A02_s2"])
    >>> fault.kind, fault.message.split(",")[0]
    ('ungrouped', "the names of 4 images fall into 2 families such as 'p1_A01'")
    >>> ungrouped(["00", "01", "02", "03"]) is None
    True
    """
    stems = list(stems)
    for pattern, most in _patterns(stems):
        matches = [re.search(pattern, stem) for stem in stems]
        families = [match.group(1) for match in matches if match]
        kinds = set(families)
        if len(families) == len(stems) and 1 < len(kinds) <= min(most * len(stems), len(stems) - 2):
            shown = next(name for name in families if families.count(name) > 1)
            message = (
                f"the names of {len(stems)} images fall into {len(kinds)} families such as {shown!r}, and a split "
                "by single images puts frames of one sequence or fields of one well into several sections; keep "
                f"them together with `cellseg data split DIR --group_pattern '{pattern}'`, if that is what they are"
            )
            return Fault("images", "ungrouped", message, "warning")
    return None


def _patterns(stems: list[str]) -> Iterator[tuple[str, float]]:
    """Patterns whose bracket may be the family, the coarser first, and to what part they must bring the names down."""
    text = "\n".join(stems)
    found = set(re.findall(rf"[_\-. ]({_MARKS})[_\-]?\d+(?![^_\-. \n])", text))
    if found:
        mark = rf"[_\-. ](?:{'|'.join(sorted(found))})[_\-]?\d+"
        yield rf"^(.+?)(?:{mark}(?:[_\-. ].*)?)?$", 0.9  # before the first mark; a name without it stays whole
        yield rf"^(.+){mark}(?![^_\-. ])", 0.9  # before the last mark
    # Digits at the end; a name that is only a number stays whole. Images are often just numbered, so that this
    # is a hint only where most of them share their name with another.
    yield r"^(.+?)(?:(?<!\d)[_\-. ]*\d+)?$", 0.5
