"""The interface of a method that divides the foreground into objects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from cellseg_monai.settings import register

__all__ = ["METHODS", "Method", "check_number", "check_whole_number"]

METHODS: dict[str, type[Method]] = {}
"""All methods, keyed by their name in `postprocess.json`. Subclasses of `Method` register themselves here."""


@dataclass(frozen=True)
class Method(ABC):
    """A way to divide the foreground into objects, with its settings as fields.

    A subclass is registered under the name that `postprocess.json` uses for it:

        class MyMethod(Method, key="my_method"): ...

    The division of a connected component must depend only on that component and on where the image ends next to it.
    Otherwise decoding in blocks would not give the same objects as decoding the whole image.
    """

    name: ClassVar[str]
    maps: ClassVar[tuple[str, ...]] = ()
    """Names of the maps that the method needs besides `foreground`."""
    keeps_components: ClassVar[bool] = False
    """True if the method never divides a connected component of the foreground."""

    def __init_subclass__(cls, *, key: str = "", **options: Any) -> None:  # Python 3.10 reserves `name`
        super().__init_subclass__(**options)
        if not key:
            raise TypeError(f'{cls.__name__} has no key; declare it as `class {cls.__name__}(Method, key="...")`')
        cls.name = key
        register(METHODS, cls, key)

    @abstractmethod
    def divide(self, mask: np.ndarray, maps: Mapping[str, np.ndarray]) -> np.ndarray:
        """Divide the foreground into objects.

        Args:
            mask: Y×X bool, the foreground after hole filling.
            maps: Y×X floats in [0, 1], one map for each name in `self.maps`.

        Returns:
            Y×X int32 of positive ids, possibly with gaps; 0 is background.
        """


_LARGEST = 1e300  # Python's whole numbers have no limit, but cannot be compared with an array if they are larger


def check_number(name: str, value: object, *, below: float, remedy: str) -> None:
    """Reject a setting unless it is a non-negative number below a limit.

    Raises:
        ValueError: the value is not an int or a float, or is out of range.
    """
    if type(value) not in (int, float) or not 0 <= value < min(below, _LARGEST):  # type: ignore[operator]
        limit = "" if below == float("inf") else f" and below {below:g}"
        raise ValueError(f"got {name}={value!r:.50}, expected a number of at least 0{limit}; {remedy}")


def check_whole_number(name: str, value: object) -> None:
    """Reject a setting unless it is a non-negative whole number of pixels.

    Raises:
        ValueError: the value is not an int, or is negative.
    """
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(
            f"got {name}={value!r:.50}, expected a non-negative whole number of pixels; 0 keeps every object"
        )
