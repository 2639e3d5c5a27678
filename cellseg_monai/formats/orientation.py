"""Notes on orientation tags, which tell a viewer to turn or mirror a picture."""

from __future__ import annotations

from cellseg_monai.formats.notes import ORIENTATION, Note

__all__ = ["ORIENTATION_TAG", "orientation_notes"]

ORIENTATION_TAG = 274
"""Number of the tag in EXIF and TIFF metadata."""

_SHOWN = {
    2: "mirrored left to right",
    3: "turned by 180°",
    4: "mirrored top to bottom",
    5: "mirrored along the main diagonal",
    6: "turned by 90° clockwise",
    7: "mirrored along the other diagonal",
    8: "turned by 90° counter-clockwise",
}


def orientation_notes(value: object) -> tuple[Note, ...]:
    """Return a note if an orientation tag asks viewers to turn or mirror the picture, which `read` does not do.

    Args:
        value: value of the tag, which is the same in EXIF and TIFF, or None if there is none.

    >>> orientation_notes(6)[0].text
    'an orientation tag asks viewers to show it turned by 90° clockwise; it is used as stored, and so are results'
    >>> orientation_notes(1), orientation_notes(None)
    ((), ())
    """
    shown = _SHOWN.get(value) if isinstance(value, int) else None
    if shown is None:
        return ()
    text = f"an orientation tag asks viewers to show it {shown}; it is used as stored, and so are results"
    return (Note(ORIENTATION, text),)
