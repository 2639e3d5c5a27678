"""Units of length and time, as image files spell them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellseg_monai.formats.units import in_unit, is_no_unit, seconds_per_unit, um_per_unit

# All units of length in the OME schema, in micrometres.
OME = {
    "Ym": 1e30, "Zm": 1e27, "Em": 1e24, "Pm": 1e21, "Tm": 1e18, "Gm": 1e15, "Mm": 1e12, "km": 1e9, "hm": 1e8,
    "dam": 1e7, "m": 1e6, "dm": 1e5, "cm": 1e4, "mm": 1e3, "µm": 1, "nm": 1e-3, "pm": 1e-6, "fm": 1e-9, "am": 1e-12,
    "zm": 1e-15, "ym": 1e-18, "Å": 1e-4, "thou": 25.4, "li": 25_400 / 12, "in": 25_400, "ft": 304_800,
    "yd": 914_400, "mi": 1.609344e9, "ua": 1.495978707e17, "ly": 9.4607304725808e21, "pc": 3.0856775814913673e22,
    "pt": 25_400 / 72,
}  # fmt: skip
# All units of length in the specification of OME-Zarr.
UDUNITS = {
    "angstrom": 1e-4, "attometer": 1e-12, "centimeter": 1e4, "decimeter": 1e5, "exameter": 1e24, "femtometer": 1e-9,
    "foot": 304_800, "gigameter": 1e15, "hectometer": 1e8, "inch": 25_400, "kilometer": 1e9, "megameter": 1e12,
    "meter": 1e6, "micrometer": 1, "mile": 1.609344e9, "millimeter": 1e3, "nanometer": 1e-3,
    "parsec": 3.0856775814913673e22, "petameter": 1e21, "picometer": 1e-6, "terameter": 1e18, "yard": 914_400,
    "yoctometer": 1e-18, "yottameter": 1e30, "zeptometer": 1e-15, "zettameter": 1e27,
}  # fmt: skip
OME_TIMES = {"Ys": 1e24, "ks": 1e3, "s": 1, "ms": 1e-3, "µs": 1e-6, "ys": 1e-24, "min": 60, "h": 3600, "d": 86_400}
UDUNITS_TIMES = {"second": 1, "millisecond": 1e-3, "yottasecond": 1e24, "minute": 60, "hour": 3600, "day": 86_400}
OTHER_SPELLINGS = {
    "millimetre": 1e3, "millimeters": 1e3, "Millimetres": 1e3, "micrometre": 1, "MICROMETERS": 1, "micron": 1,
    "Microns": 1, "micro-meter": 1, "nanometre": 1e-3, "metre": 1e6, "metres": 1e6, "inches": 25_400, "in.": 25_400,
    "feet": 304_800, "Ångström": 1e-4, "Angstroms": 1e-4, "A": 1e-4, "micromètres": 1, "light year": 9.4607304725808e21,
    "um": 1, "u": 1, "µ": 1, "\N{GREEK SMALL LETTER MU}m": 1, "\N{SQUARE MU M}": 1, "\\u00B5m": 1, "\\u00b5m": 1,
    "&micro;m": 1, "&#181;m": 1, "Âµm": 1, "\N{ANGSTROM SIGN}": 1e-4, " nm\0": 1e-3, "µm/pixel": 1,
    "microns per pixel": 1,
}  # fmt: skip


@pytest.mark.parametrize(("unit", "um"), [*OME.items(), *UDUNITS.items(), *OTHER_SPELLINGS.items()])
def test_lengths_are_converted(unit, um):
    assert um_per_unit(unit) == pytest.approx(um, rel=1e-12)


@pytest.mark.parametrize(("unit", "seconds"), [*OME_TIMES.items(), *UDUNITS_TIMES.items(), ("sec", 1), ("hrs", 3600)])
def test_times_are_converted(unit, seconds):
    assert seconds_per_unit(unit) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize("unit", ["MM", "UM", "nM", "Nm", "PT", "IN", "Km", "furlong", "s", "?m", 3, None, ["mm"]])
def test_a_symbol_in_another_case_and_a_foreign_name_are_no_lengths(unit):
    assert um_per_unit(unit) is None


@pytest.mark.parametrize("unit", ["pixel", "Pixels", "px", "reference frame", "", None])
def test_some_names_say_that_no_unit_is_known(unit):
    assert is_no_unit(unit)
    assert um_per_unit(unit) is None


@given(st.text(max_size=12))
def test_any_text_is_a_length_or_none(unit):
    assert um_per_unit(unit) is None or um_per_unit(unit) > 0
    assert um_per_unit(f"\t{unit} ") == um_per_unit(unit)


@pytest.mark.parametrize(
    "value", ["wide", "", None, 0, -1, math.nan, math.inf, 1e308, [1], "1,5", "1_0", "٣", True, 10**400]
)
def test_a_size_that_is_no_positive_finite_number_is_unknown(value):
    assert in_unit(value, 1e6) is None
