"""Channel names for colour images, shared by all readers."""

from __future__ import annotations

__all__ = ["CMYK", "GREY_ALPHA", "RGB", "RGBA"]

RGB = ("red", "green", "blue")
RGBA = (*RGB, "alpha")
GREY_ALPHA = ("gray", "alpha")
CMYK = ("cyan", "magenta", "yellow", "black")
