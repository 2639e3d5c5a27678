"""Convert lengths to micrometres and durations to seconds, from the many unit names found in image files.

Symbols are case-sensitive, because Mm is a megametre and mm a millimetre. Words are not, and can be spelt with or
without accents, hyphens and spaces. The names are those of the OME schema, of UDUNITS-2 (used by OME-Zarr) and of
ImageJ.
"""

from __future__ import annotations

import html
import math
import re
import unicodedata
from contextlib import suppress
from numbers import Real
from typing import Any

__all__ = ["checked_size", "in_unit", "is_no_unit", "plain_number", "seconds_per_unit", "um_per_unit"]

_MU = "\N{GREEK SMALL LETTER MU}"  # Unicode's NFKC normalisation turns the micro sign into this letter
_SYMBOL_PREFIXES = {
    "Q": 30, "R": 27, "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1, "": 0,
    "d": -1, "c": -2, "m": -3, _MU: -6, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24, "r": -27,
    "q": -30,
}  # fmt: skip
_WORD_PREFIXES = {
    "quetta": 30, "ronna": 27, "yotta": 24, "zetta": 21, "exa": 18, "peta": 15, "tera": 12, "giga": 9, "mega": 6,
    "kilo": 3, "hecto": 2, "deca": 1, "deka": 1, "": 0, "deci": -1, "centi": -2, "milli": -3, "micro": -6, "nano": -9,
    "pico": -12, "femto": -15, "atto": -18, "zepto": -21, "yocto": -24, "ronto": -27, "quecto": -30,
}  # fmt: skip
_METRES = ("meter", "meters", "metre", "metres")
_SECONDS = ("second", "seconds", "sec", "secs")

_INCH, _MINUTE = 25_400.0, 60.0
_FOOT = 12 * _INCH
_ASTRONOMICAL_UNIT = 149_597_870_700e6
_PARSEC = _ASTRONOMICAL_UNIT * 648_000 / math.pi


def _metric(names: tuple[str, ...], prefixes: dict[str, int], shift: int) -> dict[str, float]:
    """Return the factor of each name with each prefix; `shift` is the exponent of the name without prefix."""
    # Parsing "1e-9" gives the closest number to a power of ten, unlike computing 10.0**-9.
    return {
        f"{prefix}{name}": float(f"1e{exponent + shift}") for prefix, exponent in prefixes.items() for name in names
    }


_UM_PER_SYMBOL = {
    **_metric(("m",), _SYMBOL_PREFIXES, 6),
    _MU: 1.0,  # an old symbol of the micrometre, which ImageJ offers
    "u": 1.0,
    "\N{LATIN CAPITAL LETTER A WITH RING ABOVE}": 1e-4,
    "A": 1e-4,
    "thou": _INCH / 1000,
    "li": _INCH / 12,
    "pt": _INCH / 72,
    "in": _INCH,
    "ft": _FOOT,
    "yd": 3 * _FOOT,
    "mi": 5280 * _FOOT,
    "ua": _ASTRONOMICAL_UNIT,
    "au": _ASTRONOMICAL_UNIT,
    "ly": 9_460_730_472_580_800e6,
    "pc": _PARSEC,
}
_UM_PER_WORD = {
    **_metric(_METRES, _WORD_PREFIXES, 6),
    **dict.fromkeys(("micron", "microns"), 1.0),
    **dict.fromkeys(("angstrom", "angstroms"), 1e-4),
    **dict.fromkeys(("inch", "inches"), _INCH),
    **dict.fromkeys(("foot", "feet"), _FOOT),
    **dict.fromkeys(("yard", "yards"), 3 * _FOOT),
    **dict.fromkeys(("mile", "miles"), 5280 * _FOOT),
    **dict.fromkeys(("line", "lines"), _INCH / 12),
    **dict.fromkeys(("point", "points"), _INCH / 72),
    **dict.fromkeys(("astronomicalunit", "astronomicalunits"), _ASTRONOMICAL_UNIT),
    **dict.fromkeys(("lightyear", "lightyears"), 9_460_730_472_580_800e6),
    **dict.fromkeys(("parsec", "parsecs"), _PARSEC),
}
_S_PER_SYMBOL = {**_metric(("s",), _SYMBOL_PREFIXES, 0), "min": _MINUTE, "h": 60 * _MINUTE, "d": 1440 * _MINUTE}
_S_PER_WORD = {
    **_metric(_SECONDS, _WORD_PREFIXES, 0),
    **_metric(("sec", "secs"), {"m": -3, "u": -6, _MU: -6, "n": -9}, 0),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), _MINUTE),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), 60 * _MINUTE),
    **dict.fromkeys(("day", "days"), 1440 * _MINUTE),
}
_NO_UNITS = {"", "pixel", "pixels", "px", "voxel", "voxels", "referenceframe", "none", "null"}
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_PER_PIXEL = re.compile(r"\s*(?:/|\bper\b)\s*(?:pixels?|px|voxels?)$", re.IGNORECASE)


def um_per_unit(unit: Any) -> float | None:
    """Return the micrometres in a unit of length, or None if the unit is unknown or not a length.

    Args:
        unit: name of the unit, as it stands in the file.

    >>> um_per_unit("mm"), um_per_unit("Mm"), um_per_unit("Micrometres"), um_per_unit("pixel")
    (1000.0, 1000000000000.0, 1.0, None)
    """
    return _factor(unit, _UM_PER_SYMBOL, _UM_PER_WORD)


def seconds_per_unit(unit: Any) -> float | None:
    """Return the seconds in a unit of time, or None if the unit is unknown.

    Args:
        unit: name of the unit, as it stands in the file.

    >>> seconds_per_unit("ms"), seconds_per_unit("Minutes"), seconds_per_unit("frame")
    (0.001, 60.0, None)
    """
    return _factor(unit, _S_PER_SYMBOL, _S_PER_WORD)


def is_no_unit(unit: Any) -> bool:
    """Return True if a file says with this name that it knows no unit, such as "pixel"."""
    return unit is None or _word(_clean(unit)) in _NO_UNITS


def plain_number(value: Any) -> float | None:
    """Return a number from a file, or None if it is none, or is text that only Python takes for a number.

    Args:
        value: the number or its text, or whatever the file has in its place.

    >>> plain_number(" 2.5e-1 "), plain_number(2), plain_number("1_0"), plain_number("٥"), plain_number(True)
    (0.25, 2.0, None, None, None)
    """
    if isinstance(value, str):
        value = value.strip(" \t\r\n\0")
        return float(value) if _NUMBER.fullmatch(value) else None
    if not isinstance(value, Real) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def in_unit(value: Any, factor: float | None) -> float | None:
    """Return a value in another unit, or None if it is no positive and finite number or the factor is unknown.

    Args:
        value: number from the file, or whatever the file has in its place.
        factor: size of the unit of `value` in the other unit, or None if it is unknown.

    >>> in_unit("250", um_per_unit("nm")), in_unit("wide", 1.0), in_unit(0, 1.0), in_unit(1, um_per_unit("pixel"))
    (0.25, None, None, None)
    """
    number = plain_number(value)
    if number is None or factor is None:
        return None
    size = number * factor
    return size if math.isfinite(size) and size > 0 else None


def checked_size(height: float | None, width: float | None) -> tuple[float, float] | None:
    """Return the height and width of a pixel, or None if one of them is unknown.

    >>> checked_size(1, 0.5), checked_size(None, 1)
    ((1, 0.5), None)
    """
    return None if height is None or width is None else (height, width)


def _factor(unit: Any, symbols: dict[str, float], words: dict[str, float]) -> float | None:
    if not isinstance(unit, str):
        return None
    name = _clean(unit)
    return symbols.get(name, words.get(_word(name)))


def _clean(unit: Any) -> str:
    r"""Return a unit without escapes, variants of the same character, "per pixel" and surrounding space.

    >>> _clean("\\u00B5m/pixel") == _clean("&micro;m") == _clean("Âµm") == _clean("µm")
    True
    """
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda escape: chr(int(escape[1], 16)), html.unescape(str(unit)))
    with suppress(UnicodeError):
        text = text.encode("cp1252").decode("utf-8")  # UTF-8 that the writer took for Windows text
    text = _PER_PIXEL.sub("", unicodedata.normalize("NFKC", text).strip(" \t\r\n\0"))
    return text.rstrip(".").strip()


def _word(name: str) -> str:
    """Return a name in lower case and without accents, hyphens, underscores and spaces."""
    letters = unicodedata.normalize("NFD", name.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter) and letter not in " -_")
