"""The kinds of images that a scout tells apart."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["KINDS", "NONE", "Kind"]


class Kind(NamedTuple):
    """A kind of image.

    Args:
        text: what the image shows, for messages and tables.
        bundle: name of the shipped bundle for images of this kind; None if there is none.
    """

    text: str
    bundle: str | None


NONE = "none"

KINDS = {
    "fluorescence_nuclei": Kind("nuclei in fluorescence", "nuclei"),
    "stained_nuclei": Kind("nuclei in stained tissue or smears", "nuclei_tissue"),
    "phase_cells": Kind("cells in phase contrast", "cells_phase"),
    "dic_cells": Kind("cells in bright field or DIC", "cells_phase"),
    "fluorescence_cells": Kind("whole cells in fluorescence", None),
    NONE: Kind("none of the known kinds of microscope images", None),
}
"""Every kind by its name, in the order of the network's output."""
