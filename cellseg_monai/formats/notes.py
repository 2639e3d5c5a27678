"""Notes on what a reader found in an image file but did not use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["EMPTY", "FILE_SET", "ORIENTATION", "PIXEL_SIZE", "PLANES", "TIME_STEP", "Z_STEP", "Note", "open_notes"]

PIXEL_SIZE = "pixel-size"
"""The kind of note about a pixel size that the file states but the reader did not use.

Users can ignore such a note if they pass the pixel size themselves.
"""

FILE_SET = "file-set"
"""The kind of a note on a file that may not belong to the image of which it is said to be a part."""

PLANES = "planes"
"""The kind of a note on planes that the file holds, but its metadata do not describe."""

EMPTY = "empty"
"""The kind of a note on an array of which the folder holds no pixel at all."""

ORIENTATION = "orientation"
"""The kind of a note on an orientation tag, which is not applied."""

Z_STEP, TIME_STEP = "z-step", "time-step"
"""The kinds of notes on a distance between planes, and on a time between images, that are stated but not used."""


class Note(NamedTuple):
    """A note about something in an image file that the reader did not use.

    Args:
        kind: short name for the subject of the note, such as "pixel-size". A run prints one note of each kind.
        text: what the file states, what the reader did, and what the user can do, without the name of the file.
    """

    kind: str
    text: str


def open_notes(notes: Sequence[Note], pixel_size_um: object) -> tuple[Note, ...]:
    """Return the notes without those on a pixel size if the user has given the pixel size.

    Args:
        notes: the notes on an image.
        pixel_size_um: the pixel size from the user, or None.

    >>> open_notes([Note(PIXEL_SIZE, "its pixel size is stated in furlong")], (0.5, 0.5))
    ()
    """
    return tuple(note for note in notes if pixel_size_um is None or note.kind != PIXEL_SIZE)
