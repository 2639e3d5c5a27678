"""The sizes that a file states: of a pixel, of the step between planes, and of the interval between time points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from cellseg_monai.formats.notes import PIXEL_SIZE, TIME_STEP, Z_STEP, Note
from cellseg_monai.formats.units import checked_size, in_unit, is_no_unit, plain_number, seconds_per_unit, um_per_unit

__all__ = ["NO_SIZES", "Sizes", "Stated", "understood_sizes"]

# Between a hundredth of a nanometre and a centimetre lies every microscope. Sizes outside are used, but noted.
_SMALLEST_UM, _LARGEST_UM = 1e-5, 1e4


class Stated(NamedTuple):
    """A length or duration as a file states it.

    Args:
        value: the number, or whatever the file has in its place; None if it states nothing.
        unit: the name of the unit.
    """

    value: Any = None
    unit: Any = None

    @property
    def is_missing(self) -> bool:
        """True if the file states nothing, or states that it knows no length, such as 1 or a number of pixels."""
        if self.value is None or self._is(0):  # zero is what programs write for an unknown length
            return True
        return is_no_unit(self.unit) if self.unit else self._is(1)

    def _is(self, number: float) -> bool:
        return plain_number(self.value) == number

    def __str__(self) -> str:
        return f"{str(self.value)[:30]} {repr(str(self.unit)[:30]) if self.unit else 'without a unit'}"


_NOTHING = Stated()


@dataclass(frozen=True)
class Sizes:
    """Pixel size, z step and time step of an image file.

    Args:
        pixel_size_um: height and width of a pixel in micrometres, or None if unknown.
        z_step_um: distance between planes along Z in micrometres, or None if unknown.
        time_step_s: time between two time points in seconds, or None if unknown.
        notes: what is stated but not understood.
    """

    pixel_size_um: tuple[float, float] | None = None
    z_step_um: float | None = None
    time_step_s: float | None = None
    notes: tuple[Note, ...] = ()

    def or_else(self, others: Callable[[], Sizes]) -> Sizes:
        """Return these sizes, and those of others if this file states no pixel size here."""
        if self.pixel_size_um is not None or any(note.kind == PIXEL_SIZE for note in self.notes):
            return self
        other = others()
        z_step_um = other.z_step_um if self.z_step_um is None else self.z_step_um
        time_step_s = other.time_step_s if self.time_step_s is None else self.time_step_s
        return Sizes(other.pixel_size_um, z_step_um, time_step_s, self.notes + other.notes)


NO_SIZES = Sizes()


def understood_sizes(y: Stated = _NOTHING, x: Stated = _NOTHING, z: Stated = _NOTHING, t: Stated = _NOTHING) -> Sizes:
    """Return sizes in micrometres and seconds, with a note on each that is stated but not understood.

    Args:
        y: height of a pixel.
        x: width of a pixel.
        z: distance between planes.
        t: time between two time points.

    >>> understood_sizes(Stated("0.5", "µm"), Stated(250, "nm"), z=Stated(3, "micron"), t=Stated(1, "min"))
    Sizes(pixel_size_um=(0.5, 0.25), z_step_um=3.0, time_step_s=60.0, notes=())
    >>> understood_sizes(Stated(2, "cubits"), Stated(2, "cubits")).notes[0].text
    "it states a pixel size of 2 'cubits' × 2 'cubits', which is not understood and not used; pass the size in µm"
    """
    size_um = checked_size(_um(y), _um(x))
    z_um, t_s = _um(z), in_unit(t.value, seconds_per_unit(t.unit))
    notes = []
    if size_um is None and not (y.is_missing and x.is_missing):
        stated = f"a height of {y}" if x.is_missing else f"a width of {x}" if y.is_missing else f"{y} × {x}"
        notes.append(Note(PIXEL_SIZE, f"it states a pixel size of {stated}, which {_UNUSED}; pass the size in µm"))
    elif size_um is not None and not all(_SMALLEST_UM <= side <= _LARGEST_UM for side in size_um):
        stated = f"{size_um[0]:g} × {size_um[1]:g} µm ({y} × {x})"
        text = f"it states a pixel size of {stated}, which no microscope has; check it, and pass the right size in µm"
        notes.append(Note(PIXEL_SIZE, text))
    if z_um is None and not z.is_missing:
        notes.append(Note(Z_STEP, f"it states a distance between planes of {z}, which {_UNUSED}"))
    if t_s is None and not t.is_missing:
        notes.append(Note(TIME_STEP, f"it states a time between images of {t}, which {_UNUSED}"))
    return Sizes(size_um, z_um, t_s, tuple(notes))


_UNUSED = "is not understood and not used"


def _um(stated: Stated) -> float | None:
    return in_unit(stated.value, um_per_unit(stated.unit))
