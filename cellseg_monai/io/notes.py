"""What a reader has to say about an image that was read, but not fully understood."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["PIXEL_SIZE", "TIME_STEP", "Z_STEP", "Note"]

PIXEL_SIZE = "pixel-size"
"""The kind of a note on a pixel size that is stated, but not used; a pixel size from the user settles it."""

Z_STEP, TIME_STEP = "z-step", "time-step"
"""The kinds of notes on a distance between planes, and on a time between images, that are stated but not used."""


class Note(NamedTuple):
    """A note on an image that was read, about something in its file that was not used.

    Args:
        kind: short name for what the note is about, such as "pixel-size". A run prints one note of each kind.
        text: what the file states, what was done with it, and what to do, without the name of the file.
    """

    kind: str
    text: str
