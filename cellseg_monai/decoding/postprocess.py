"""Post-processing settings, and `label_objects`, which turns predicted maps into labelled objects."""

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
    """Settings for turning maps into objects, stored in a bundle's `configs/postprocess.json`.

    Areas and depths are measured in pixels of the maps, so their physical size does not depend on the pixel size of
    the image. In JSON, the method's settings are on the same level as the others:
    `{"method": "distance_watershed", "seed_depth": 1.0, "threshold": 0.5, "min_area_px": 16, "fill_holes": true}`.

    Args:
        method: method that divides touching objects, with its own settings.
        threshold: a pixel is foreground if its probability exceeds this threshold.
        min_area_px: objects with fewer pixels than this are dropped.
        fill_holes: turn background that is enclosed by foreground into foreground, whatever its size. Set this to
            false if cells form closed rings around free space.

    >>> Postprocessing(threshold=0.4).min_area_px
    16
    """

    method: Method = field(default_factory=Components)
    threshold: float = 0.5
    min_area_px: int = 16
    fill_holes: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.method, Method):
            raise ValueError(f"got method={self.method!r}, expected a method like DistanceWatershed(seed_depth=1.0)")
        check_number("threshold", self.threshold, below=1, remedy="give a probability, such as 0.5")
        check_whole_number("min_area_px", self.min_area_px)
        if not isinstance(self.fill_holes, bool):
            raise ValueError(f"got fill_holes={self.fill_holes!r}, expected true or false; choose one")

    def to_mapping(self) -> dict[str, Any]:
        """Return all settings as one flat dictionary, including those of the method.

        >>> Postprocessing().to_mapping()
        {'method': 'components', 'threshold': 0.5, 'min_area_px': 16, 'fill_holes': True}
        """
        common = {setting.name: getattr(self, setting.name) for setting in fields(self) if setting.name != "method"}
        return {"method": self.method.name, **asdict(self.method), **common}

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], *, source: str, whole: bool = False) -> Postprocessing:
        """Create settings from a dictionary like the one that `to_mapping` returns.

        Args:
            values: settings by name; missing settings get their defaults.
            source: name of the file or other origin of the values, for error messages.
            whole: True to reject values with missing settings instead of using defaults.

        Raises:
            BundleError: a setting is unknown, does not apply to the method or has an invalid value; or `whole` is True
                and a setting is missing.

        >>> Postprocessing.from_mapping({"method": "components", "seed_depth": 2.0}, source="a.json")
        Traceback (most recent call last):
        cellseg_monai.errors.BundleError: a.json: seed_depth does not apply to the method components; remove it
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
            raise BundleError(f"{source}: missing settings: {', '.join(missing)}; add these settings")
        try:
            method = kind(**{key: value for key, value in values.items() if key in own})
            return cls(method, **{key: value for key, value in values.items() if key in common})
        except ValueError as error:
            raise BundleError(f"{source}: {error}") from error

    def with_setting(self, name: str, value: Any) -> Postprocessing:
        """Return a copy with one setting replaced, which can be a setting of the method.

        Raises:
            ValueError: the setting does not exist, or the value is invalid.

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
        """Read settings from a `postprocess.json` file.

        Args:
            path: path of the file.
            whole: True to reject a file with missing settings instead of using defaults.

        Raises:
            BundleError: the file is missing, does not contain a JSON object, or contains settings that `from_mapping`
                rejects.
        """
        return cls.from_mapping(read_mapping(path), source=str(path), whole=whole)

    def to_json(self, path: str | PathLike[str]) -> None:
        """Write these settings as JSON that `from_json` reads back unchanged."""
        with replacing(path) as aside:
            aside.write_text(json.dumps(self.to_mapping(), indent=4) + "\n", encoding="utf-8")


def _names(kind: type) -> set[str]:
    return {setting.name for setting in fields(kind)}


def _why_refused(setting: str, method: type[Method], known: set[str]) -> str:
    """Return a message that says whether a rejected setting belongs to another method or does not exist."""
    if any(setting in _names(other) for other in METHODS.values()):
        return f"{setting} does not apply to the method {method.name}; remove it"
    nearest = difflib.get_close_matches(setting, known, n=1)
    remedy = f"did you mean {nearest[0]!r}?" if nearest else f"known settings: {', '.join(sorted(known))}"
    return f"Postprocessing has no setting {setting!r}; {remedy}"


def foreground_mask(probabilities: np.ndarray, settings: Postprocessing) -> np.ndarray:
    """Return a mask that is True where the probability exceeds the threshold.

    Args:
        probabilities: floats in [0, 1] of any shape, such as Y×X.
        settings: post-processing settings; only the threshold is used.

    Returns:
        bool array with the shape of `probabilities`.

    Raises:
        ValueError: a probability is NaN or outside [0, 1].

    >>> foreground_mask(np.array([[0.2, 0.5, 0.9]]), Postprocessing(threshold=0.5))
    array([[False, False,  True]])
    """
    check_probabilities(probabilities)
    return np.asarray(probabilities > settings.threshold)


def label_objects(maps: Maps, settings: Postprocessing, shape: tuple[int, int] | None = None) -> np.ndarray:
    """Label the objects in the maps of one image.

    The foreground is thresholded, holes are filled, touching objects are divided and small objects are dropped.
    Foreground pixels are connected by their edges, not their corners (4-connectivity), so that fewer touching cells
    merge.

    Args:
        maps: Y×X floats in [0, 1] by name: `foreground`, and the maps that the method needs; see `Maps`.
        settings: method, thresholds, hole filling and smallest area.
        shape: (Y, X) of the image file, if the network processed the image at another scale. The label image is
            resized to this shape by nearest neighbour.

    Returns:
        Y×X int32. Ids run from 1 to n without gaps, in the order of each object's first pixel; 0 is background.

    Raises:
        ValueError: a map that the method needs is missing, or a value is NaN or outside [0, 1].

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
    if not mask.any():  # true of an empty array, too
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
    # A small object can vanish when the image shrinks, which leaves a gap in the ids.
    return relabel_sequential(rescale_labels(labels, shape))
