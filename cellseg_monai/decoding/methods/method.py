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
"""Every method by its name in `postprocess.json`. A subclass of `Method` enters itself."""


@dataclass(frozen=True)
class Method(ABC):
    """A way to divide the foreground into objects, with the settings that it needs, and no others.

    A subclass states the name that `postprocess.json` uses, and is found by it from then on:

        class MyMethod(Method, name="my_method"): ...

    What a connected component of the foreground becomes must depend on that component alone, and on where the image
    ends next to it. Only then do blocks give the objects of the whole image.
    """

    name: ClassVar[str]
    maps: ClassVar[tuple[str, ...]] = ()
    """The maps that the method needs besides `foreground`."""
    keeps_components: ClassVar[bool] = False
    """True if each connected component of the foreground is one object."""

    def __init_subclass__(cls, *, name: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        if not name:
            raise TypeError(f'{cls.__name__} has no name; write `class {cls.__name__}(Method, name="...")`')
        cls.name = name
        register(METHODS, cls, name)

    @abstractmethod
    def divide(self, mask: np.ndarray, maps: Mapping[str, np.ndarray]) -> np.ndarray:
        """Divide the foreground into objects.

        Args:
            mask: Y×X bool, the foreground with its holes filled.
            maps: Y×X floats in [0, 1] for each of `self.maps`.

        Returns:
            Y×X int32: ids from 1, possibly with gaps; 0 is background.
        """


def check_number(name: str, value: object, *, below: float, remedy: str) -> None:
    """Refuse a setting that is not a number of at least 0 and below a limit.

    Raises:
        ValueError: the value is no int or float, or out of range.
    """
    if type(value) not in (int, float) or not 0 <= value < below:  # type: ignore[operator]
        limit = "" if below == float("inf") else f" and below {below:g}"
        raise ValueError(f"got {name}={value!r}, expected a number of at least 0{limit}; {remedy}")


def check_whole_number(name: str, value: object) -> None:
    """Refuse a setting that is not a whole number of pixels.

    Raises:
        ValueError: the value is no int, or negative.
    """
    if type(value) is not int or value < 0:
        raise ValueError(f"got {name}={value!r}, expected a whole number of pixels, at least 0; 0 keeps every object")
