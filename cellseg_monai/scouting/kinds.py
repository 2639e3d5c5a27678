"""The kinds of images that a scout tells apart."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["KINDS", "NONE", "Kind"]


class Kind(NamedTuple):
    """A kind of image.

    Args:
        text: what the image shows, for messages and tables.
        bundle: name of the shipped bundle for images of this kind; None if there is none.
        substitute: name of the shipped bundle that comes closest if there is none, or if it cannot be used because it
            has no weights or takes other channels; None if nothing is known.
    """

    text: str
    bundle: str | None
    substitute: str | None = None


NONE = "none"

KINDS = {
    "fluorescence_nuclei": Kind("nuclei in fluorescence", "nuclei"),
    "stained_nuclei": Kind("nuclei in stained tissue or smears", "nuclei_tissue", "nuclei"),
    "phase_cells": Kind("cells in phase contrast", "cells_phase"),
    "dic_cells": Kind("cells in bright field or DIC", "cells_phase"),
    "fluorescence_cells": Kind("whole cells in fluorescence", None, "nuclei"),
    NONE: Kind("none of the known kinds of microscope images", None),
}
"""Every kind by its name, in the order of the network's output."""
