"""Arrays as named maps, and methods by their names, for tests that go through all methods."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from cellseg_monai.decoding import METHODS, Method, Postprocessing


def named(values: Any) -> dict[str, np.ndarray]:
    """Return Y×X as the foreground; the second map of C×Y×X serves as whatever else a method needs."""
    values = np.asarray(values)
    if values.ndim == 2:
        return {"foreground": values}
    others = {"boundary": values[1], "distance": values[1]} if len(values) > 1 else {}
    return {"foreground": values[0], **others}


def method_of(name: str, **settings: Any) -> Method:
    """Return the method with those of the settings that it has."""
    kind = METHODS[name]
    known = {field.name for field in fields(kind)}
    return kind(**{key: value for key, value in settings.items() if key in known})


def postprocessing(method: str, **settings: Any) -> Postprocessing:
    """Return post-processing with settings of the method and common ones, given together."""
    common = {key: settings.pop(key) for key in ("threshold", "min_area_px", "fill_holes") if key in settings}
    return Postprocessing(method_of(method, **settings), **common)
