"""The names of the samples of a colour, the same for every format."""

from __future__ import annotations

__all__ = ["CMYK", "GREY_ALPHA", "RGB", "RGBA"]

RGB = ("red", "green", "blue")
RGBA = (*RGB, "alpha")
GREY_ALPHA = ("gray", "alpha")
CMYK = ("cyan", "magenta", "yellow", "black")
