"""Detect images whose names suggest that they belong together: fields of one well, frames of one time lapse."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from cellseg_monai.faults import Fault

__all__ = ["ungrouped"]

# Marks that acquisition programs write before a number: time, stage position or site, field, plane, tile. Capital F
# and P are left out because they also name rows of a plate.
_MARKS = "f|p|(?i:t|time|frame|pos|position|s|site|series|field|fov|z|slice|plane|tile)"


def ungrouped(stems: Iterable[str]) -> Fault | None:
    """Return a warning if the image names form families, which a split by single images would tear apart.

    If all images share one name followed by a number, there is no warning, because images in most data sets are
    numbered like this.

    Args:
        stems: stems of the image files.

    >>> fault = ungrouped(["p1_A01_s1", "p1_A01_s2", "p1_A02_s1", "p1_A02_s2"])
    >>> fault.kind, fault.message.split(",")[0]
    ('ungrouped', "the names of 4 images form 2 families such as 'p1_A01'")
    >>> ungrouped(["00", "01", "02", "03"]) is None
    True
    """
    stems = list(stems)
    for pattern, most in _patterns(stems):
        matches = [re.search(pattern, stem) for stem in stems]
        families = [match.group(1) for match in matches if match]
        names = set(families)
        if len(families) == len(stems) and 1 < len(names) <= min(most * len(stems), len(stems) - 2):
            example = next(name for name in families if families.count(name) > 1)
            message = (
                f"the names of {len(stems)} images form {len(names)} families such as {example!r}, which a split by "
                "single images would spread over several sections; if the images in a family belong together, keep "
                f"them in one section with `cellseg data split DIR --group_pattern '{pattern}'`"
            )
            return Fault("images", "ungrouped", message, "warning")
    return None


def _patterns(stems: list[str]) -> Iterator[tuple[str, float]]:
    """Yield patterns whose capture group could be the family, coarse patterns first.

    Yields:
        A regular expression, and the highest ratio of families to images at which its matches count.
    """
    text = "\n".join(stems)
    marks = set(re.findall(rf"[_\-. ]({_MARKS})[_\-]?\d+(?![^_\-. \n])", text))
    if marks:
        mark = rf"[_\-. ](?:{'|'.join(sorted(marks))})[_\-]?\d+"
        yield rf"^(.+?)(?:{mark}(?:[_\-. ].*)?)?$", 0.9  # before the first mark; a name without a mark stays whole
        yield rf"^(.+){mark}(?![^_\-. ])", 0.9  # before the last mark
    # Digits at the end; a name that is only a number stays whole. Images are often just numbered, so this pattern
    # counts only if most images share their name with another image.
    yield r"^(.+?)(?:(?<!\d)[_\-. ]*\d+)?$", 0.5
