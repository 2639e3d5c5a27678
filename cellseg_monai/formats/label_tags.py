"""Record axes and sizes in label TIFFs, as metadata for `read` and for other programs."""

from __future__ import annotations

from typing import Any
from uuid import NAMESPACE_OID, uuid5

import numpy as np

from cellseg_monai.formats.sizes import Sizes

__all__ = ["OWN_PREFIX", "check_sizes", "label_tags"]

OWN_PREFIX = "cellseg_"
"""Prefix of the lines that only this package reads in the ImageJ header of a stack."""

_UM_PER_CM = 10_000.0
_HIGHEST_RESOLUTION = 2**32 - 1


def check_sizes(sizes: Sizes) -> None:
    """Refuse impossible sizes.

    Args:
        sizes: pixel size and steps, as far as they are known.

    Raises:
        ValueError: a size or step is not positive and finite.
    """
    if sizes.pixel_size_um is not None and not all(np.isfinite(p) and p > 0 for p in sizes.pixel_size_um):
        raise ValueError(f"got pixel_size_um={sizes.pixel_size_um}, expected two positive lengths; correct it")
    for name, step in (("z_step_um", sizes.z_step_um), ("time_step_s", sizes.time_step_s)):
        if step is not None and not (np.isfinite(step) and step > 0):
            raise ValueError(f"got {name}={step}, expected a positive number; correct it")


def label_tags(
    axes: str, shape: tuple[int, ...], dtype: np.dtype, sizes: Sizes, ome_name: str | None = None
) -> dict[str, Any]:
    """Return the tifffile arguments that record the axes and sizes of a label image.

    A single plane has the metadata of tifffile, and a stack the header of ImageJ, so that time opens as time and depth
    as depth. ImageJ has no positions, so a stack with positions has the metadata of tifffile too.

    Args:
        axes: "YX", preceded by those of T, P and Z that the image has.
        shape: one length per letter of `axes`.
        dtype: type of the ids.
        sizes: pixel size and steps, as far as they are known; steps along axes that the image lacks are ignored.
        ome_name: image name in the OME metadata, or None for a plain TIFF.

    Raises:
        ValueError: a size or step is not positive and finite.

    >>> label_tags("YX", (2, 3), np.dtype(np.uint16), Sizes((0.5, 0.25)))["resolution"]
    (40000.0, 20000.0)
    """
    check_sizes(sizes)
    height_um, width_um = map(float, sizes.pixel_size_um or (0, 0))
    tags: dict[str, Any] = {}
    if sizes.pixel_size_um is not None:
        tags = _resolution(_UM_PER_CM / width_um, _UM_PER_CM / height_um, "CENTIMETER")
    if ome_name is not None:
        return {**tags, "metadata": _ome_metadata(ome_name, axes, shape, dtype, sizes)}
    if len(axes) > 2 and "P" not in axes:
        if sizes.pixel_size_um is not None:  # ImageJ has it in its own unit
            tags = _resolution(1 / width_um, 1 / height_um, "NONE")
        return {**tags, "metadata": None, "description": _imagej_header(axes, shape, sizes)}
    pixel_size = {} if sizes.pixel_size_um is None else {"pixel_size_um": [height_um, width_um]}
    return {**tags, "metadata": {**pixel_size, **_steps(axes, sizes), "axes": axes}}


def _resolution(per_width: float, per_height: float, unit: str) -> dict[str, Any]:
    """Return the tags of a resolution, or none if their 32 bits cannot hold it; the metadata have the size, too."""
    if max(per_width, per_height) > _HIGHEST_RESOLUTION or min(per_width, per_height) < 1 / _HIGHEST_RESOLUTION:
        return {}
    return {"resolution": (per_width, per_height), "resolutionunit": unit}


def _steps(axes: str, sizes: Sizes) -> dict[str, float]:
    """Return the known steps along axes that the image has, under the names by which this package reads them."""
    steps = (("Z", "z_step_um", sizes.z_step_um), ("T", "time_step_s", sizes.time_step_s))
    return {name: float(step) for axis, name, step in steps if axis in axes and step is not None}


def _imagej_header(axes: str, shape: tuple[int, ...], sizes: Sizes) -> str:
    """Return the description with which ImageJ and Bio-Formats recognise a stack."""
    lengths, steps = dict(zip(axes, shape, strict=True)), _steps(axes, sizes)
    slices, frames = lengths.get("Z", 1), lengths.get("T", 1)
    lines: dict[str, Any] = {"ImageJ": "1.11a", "images": slices * frames}
    lines |= {"slices": slices} if "Z" in axes else {}
    lines |= {"frames": frames, "hyperstack": "true"} if "T" in axes else {}
    lines |= {"loop": "false"}
    own: dict[str, Any] = {"axes": axes}
    if sizes.pixel_size_um is not None:
        lines["unit"] = "micron"
        own["pixel_size_um"] = " ".join(map(repr, map(float, sizes.pixel_size_um)))
        lines |= {"spacing": steps["z_step_um"]} if "z_step_um" in steps else {}
    lines |= {"finterval": steps["time_step_s"]} if "time_step_s" in steps else {}
    # ImageJ rounds what it shows, and its header has no place for axes of length 1.
    lines |= {f"{OWN_PREFIX}{name}": value for name, value in {**own, **steps}.items()}
    return "".join(f"{name}={value}\n" for name, value in lines.items())


def _ome_metadata(name: str, axes: str, shape: tuple[int, ...], dtype: np.dtype, sizes: Sizes) -> dict[str, Any]:
    """Return the OME metadata in the form that tifffile expects."""
    # By default, tifffile would choose a different UUID each time.
    metadata: dict[str, Any] = {"Name": name, "UUID": str(uuid5(NAMESPACE_OID, f"{name} {shape} {dtype}"))}
    if sizes.pixel_size_um is not None:
        height_um, width_um = map(float, sizes.pixel_size_um)
        metadata |= {"PhysicalSizeX": width_um, "PhysicalSizeXUnit": "µm"}
        metadata |= {"PhysicalSizeY": height_um, "PhysicalSizeYUnit": "µm"}
    steps = _steps(axes, sizes)
    if "z_step_um" in steps:
        metadata |= {"PhysicalSizeZ": steps["z_step_um"], "PhysicalSizeZUnit": "µm"}
    if "time_step_s" in steps:
        metadata |= {"TimeIncrement": steps["time_step_s"], "TimeIncrementUnit": "s"}
    return metadata
