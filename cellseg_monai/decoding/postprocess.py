"""`label_objects`: labelled objects from maps, with the settings of a bundle."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from os import PathLike
from typing import Any

import numpy as np

from cellseg_monai.atomic import replacing
from cellseg_monai.decoding.component_runs import ComponentRuns
from cellseg_monai.decoding.holes import fill_holes
from cellseg_monai.decoding.maps import Maps, check_maps, check_probabilities
from cellseg_monai.decoding.methods import METHODS, Components, Method
from cellseg_monai.decoding.methods.method import check_number, check_whole_number
from cellseg_monai.decoding.numbering import areas_and_first_pixels, numbers_in_order
from cellseg_monai.errors import BundleError
from cellseg_monai.labels.relabel import id_runs, relabel_sequential
from cellseg_monai.pixels import rescale_labels
from cellseg_monai.settings import read_mapping

__all__ = ["Postprocessing", "foreground_mask", "label_objects"]


@dataclass(frozen=True)
class Postprocessing:
    """Settings for making objects from maps, as a bundle keeps them in `configs/postprocess.json`.

    Areas and depths are counted at the size of the maps, so that they mean the same size whatever the pixel size of
    the image. In JSON, the settings of the method stand next to the others:
    `{"method": "distance_watershed", "seed_depth": 1.0, "threshold": 0.5, "min_area_px": 16, "fill_holes": true}`.

    Args:
        method: how touching objects are divided, with the settings of that method.
        threshold: a pixel is foreground if its probability is greater, not equal.
        min_area_px: objects of fewer pixels are dropped.
        fill_holes: background enclosed by foreground becomes foreground, whatever its size; set it to false where
            cells form closed rings around free space.

    >>> Postprocessing(threshold=0.4).min_area_px
    16
    """

    method: Method = field(default_factory=Components)
    threshold: float = 0.5
    min_area_px: int = 16
    fill_holes: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.method, Method):
            raise ValueError(f"got method={self.method!r}, expected a method such as DistanceWatershed(seed_depth=1.0)")
        check_number("threshold", self.threshold, below=1, remedy="give a probability, such as 0.5")
        check_whole_number("min_area_px", self.min_area_px)
        if not isinstance(self.fill_holes, bool):
            raise ValueError(f"got fill_holes={self.fill_holes!r}, expected true or false; correct it")

    def to_mapping(self) -> dict[str, Any]:
        """Return the settings as plain data, those of the method next to the others.

        >>> Postprocessing().to_mapping()
        {'method': 'components', 'threshold': 0.5, 'min_area_px': 16, 'fill_holes': True}
        """
        common = {setting.name: getattr(self, setting.name) for setting in fields(self) if setting.name != "method"}
        return {"method": self.method.name, **asdict(self.method), **common}

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], *, source: str, whole: bool = False) -> Postprocessing:
        """Return the settings that `to_mapping` described.

        Args:
            values: settings by name; those left out keep their defaults.
            source: where the values come from, for messages.
            whole: refuse values that leave a setting out, rather than taking its default.

        Raises:
            BundleError: a name is unknown or means nothing for the method, a value is refused, or one is left out.

        >>> Postprocessing.from_mapping({"method": "components", "seed_depth": 2.0}, source="a.json")
        Traceback (most recent call last):
        cellseg_monai.errors.BundleError: a.json: seed_depth means nothing for the method components; remove it
        """
        name = values.get("method", Components.name)
        if not isinstance(name, str) or name not in METHODS:
            raise BundleError(f"{source}: got method={name!r}, expected one of {', '.join(METHODS)}; choose one")
        kind = METHODS[name]
        common, own = _names(cls) - {"method"}, _names(kind)
        for setting in values:
            if setting not in {"method", *common, *own}:
                raise BundleError(f"{source}: {_why_refused(setting, kind, common | own)}")
        missing = sorted({"method", *common, *own} - values.keys())
        if whole and missing:
            raise BundleError(f"{source}: missing settings: {', '.join(missing)}; add them")
        try:
            method = kind(**{key: value for key, value in values.items() if key in own})
            return cls(method, **{key: value for key, value in values.items() if key in common})
        except ValueError as error:
            raise BundleError(f"{source}: {error}") from error

    def with_setting(self, name: str, value: Any) -> Postprocessing:
        """Return these settings with one replaced, whether it belongs to the method or not.

        Raises:
            ValueError: there is no such setting, or it refuses the value.

        >>> Postprocessing().with_setting("threshold", 0.25).threshold
        0.25
        """
        if name in _names(type(self)) - {"method"}:
            return replace(self, **{name: value})
        if name in _names(type(self.method)):
            return replace(self, method=replace(self.method, **{name: value}))
        known = (_names(type(self)) | _names(type(self.method))) - {"method"}
        raise ValueError(_why_refused(name, type(self.method), known))

    @classmethod
    def from_json(cls, path: str | PathLike[str], *, whole: bool = False) -> Postprocessing:
        """Return the settings in a `postprocess.json`.

        Args:
            path: the file.
            whole: refuse a file that leaves a setting out, rather than taking its default.

        Raises:
            BundleError: the file is missing, holds no JSON object, or settings that `from_mapping` refuses.
        """
        return cls.from_mapping(read_mapping(path), source=str(path), whole=whole)

    def to_json(self, path: str | PathLike[str]) -> None:
        """Write these settings to a file that `from_json` reads back equal."""
        with replacing(path) as aside:
            aside.write_text(json.dumps(self.to_mapping(), indent=4) + "\n", encoding="utf-8")


def _names(kind: type) -> set[str]:
    return {setting.name for setting in fields(kind)}


def _why_refused(setting: str, method: type[Method], known: set[str]) -> str:
    """Say why a setting is refused: it belongs to another method, or to none."""
    if any(setting in _names(other) for other in METHODS.values()):
        return f"{setting} means nothing for the method {method.name}; remove it"
    nearest = difflib.get_close_matches(setting, known, n=1)
    remedy = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(sorted(known))}"
    return f"Postprocessing has no setting {setting!r}; {remedy}"


def foreground_mask(probabilities: np.ndarray, settings: Postprocessing) -> np.ndarray:
    """Return True where the probability is greater than the threshold.

    Args:
        probabilities: floats in [0, 1], any shape, such as Y×X.
        settings: only their threshold is used.

    Returns:
        bool of the shape of `probabilities`.

    Raises:
        ValueError: there are NaN or values outside [0, 1], as logits are.

    >>> foreground_mask(np.array([[0.2, 0.5, 0.9]]), Postprocessing(threshold=0.5))
    array([[False, False,  True]])
    """
    check_probabilities(probabilities)
    return np.asarray(probabilities > settings.threshold)


def label_objects(maps: Maps, settings: Postprocessing, shape: tuple[int, int] | None = None) -> np.ndarray:
    """Label objects: take the foreground, fill holes, divide by the method of the settings, drop small objects.

    Pixels that touch by a corner only belong to different objects (4-connectivity): fewer touching cells are merged
    that way.

    Args:
        maps: Y×X floats in [0, 1] by name: `foreground`, and those that the method needs; see `Maps`.
        settings: method, thresholds, holes, smallest area.
        shape: (Y, X) of the image file, if the network saw it at another scale: the objects are brought to it by
            nearest neighbour.

    Returns:
        Y×X int32, ids 1 to n without gaps in the order of each object's first pixel, 0 is background.

    Raises:
        ValueError: a map that the method needs is missing, or there are NaN or values outside [0, 1].

    >>> foreground = np.array([[0.9, 0.9, 0.0, 0.6, 0.0, 0.7, 0.8]])
    >>> label_objects({"foreground": foreground}, Postprocessing(min_area_px=2))
    array([[1, 1, 0, 0, 0, 2, 2]], dtype=int32)
    >>> from cellseg_monai.decoding import BoundaryWatershed
    >>> maps = {"foreground": np.full((1, 5), 0.9), "boundary": np.array([[0.0, 0.1, 0.8, 0.1, 0.0]])}
    >>> label_objects(maps, Postprocessing(BoundaryWatershed(), min_area_px=2))
    array([[1, 1, 1, 2, 2]], dtype=int32)
    """
    method = settings.method
    check_maps(maps, method.maps)
    mask = foreground_mask(np.asarray(maps["foreground"]), settings)
    method_maps = {name: np.asarray(maps[name]) for name in method.maps}
    for values in method_maps.values():
        check_probabilities(values)
    if not mask.any():  # also if there are no pixels
        return np.zeros(mask.shape if shape is None else shape, np.int32)
    if settings.fill_holes:
        background = ComponentRuns.from_mask(~mask)
        mask = fill_holes(mask, background, np.flatnonzero(background.touches_border) + 1)
        del background
    ids, starts, lengths = id_runs(method.divide(mask, method_maps))
    areas, firsts = areas_and_first_pixels(ids, starts, lengths)
    areas[0] = 0  # the background gets no number
    numbers: np.ndarray = numbers_in_order(areas, firsts, settings.min_area_px).astype(np.int32)
    labels = np.repeat(numbers[ids], lengths).reshape(mask.shape)
    if shape is None or labels.shape == tuple(shape):
        return labels
    # Shrinking can lose a small object, which leaves a gap in the ids.
    return relabel_sequential(rescale_labels(labels, shape))
