"""What the samples of a colour are called, in every format alike."""

from __future__ import annotations

__all__ = ["CMYK", "GREY_ALPHA", "RGB", "RGBA"]

RGB = ("red", "green", "blue")
RGBA = (*RGB, "alpha")
GREY_ALPHA = ("gray", "alpha")
CMYK = ("cyan", "magenta", "yellow", "black")
