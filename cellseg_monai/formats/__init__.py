"""Image file formats: how to recognise each, and readers that return its array, axes and sizes as stored.

Every reader returns a `Stored`: an array, or an object that can be sliced like one, with the axes in the order of the
file. `io` brings them into the same order for all formats.
"""

from cellseg_monai.formats.notes import Note
from cellseg_monai.formats.registry import FORMATS, Format, image_stem, readable_suffixes
from cellseg_monai.formats.stored import Stored

__all__ = ["FORMATS", "Format", "Note", "Stored", "image_stem", "readable_suffixes"]
