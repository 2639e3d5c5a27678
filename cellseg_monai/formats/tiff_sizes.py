"""Read the sizes that TIFFs state: in OME, ImageJ, LSM and other metadata, this package's own, or as a resolution."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import tifffile

from cellseg_monai.formats.label_tags import OWN_PREFIX
from cellseg_monai.formats.ome_xml import ome_image
from cellseg_monai.formats.sizes import Sizes, Stated, understood_sizes
from cellseg_monai.formats.units import plain_number, um_per_unit

__all__ = ["tiff_sizes"]

_INCH_UM, _CM_UM = 25_400.0, 10_000.0
_RESOLUTION_UNITS = {2: "inch", 3: "cm", 4: "mm", 5: "um"}  # the last two are extensions by tifffile
# Programs without a calibration state the resolution for printing, or one that they make up (1 pixel per cm).
_PRINT_DPI = (72, 75, 90, 96, 100, 120, 144, 150, 180, 200, 240, 254, 300, 360, 400, 600, 720, 1200)
_FINEST_PRINT_DPI = 1200
_MPP = re.compile(r"(?:^|\|)\s*MPP\s*=\s*([^|\s]+)")
_PHILIPS = re.compile(r'"DICOM_PIXEL_SPACING"[^>]*>\s*"([^"]+)"\s+"([^"]+)"')
_METASERIES_UNITS = {"um": "um", "nm": "nm", "mm": "mm"}


def tiff_sizes(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> Sizes:
    """Return the sizes that a file states for a series, with notes on what is not understood."""
    stated = Sizes()
    if tif.is_ome:
        stated = _of_ome(tif, series)
    elif tif.is_imagej:
        stated = _of_imagej(tif)
    elif tif.is_shaped and tif.shaped_metadata:
        stated = _of_own(tif.shaped_metadata[0])
    for is_kind, read in _PROGRAMS:
        if getattr(tif, is_kind):
            stated = stated.or_else(partial(read, tif, series))
    if tif.is_imagej:  # whose resolution is in the unit of its metadata
        return stated
    return stated.or_else(lambda: _of_resolution(series.keyframe))


def _of_ome(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> Sizes:
    image = ome_image(tif, series)
    pixels = image.find("{*}Pixels") if image is not None else None
    if pixels is None:
        return Sizes()
    y, x, z = (
        Stated(pixels.get(f"PhysicalSize{axis}"), pixels.get(f"PhysicalSize{axis}Unit", "\N{MICRO SIGN}m"))
        for axis in "YXZ"
    )
    return understood_sizes(y, x, z, Stated(pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s")))


def _of_imagej(tif: tifffile.TiffFile) -> Sizes:
    metadata = tif.imagej_metadata or {}
    if f"{OWN_PREFIX}axes" in metadata:
        return _of_own({name.removeprefix(OWN_PREFIX): value for name, value in metadata.items()})
    unit = metadata.get("unit")
    y = Stated(_pixel_length(tif.pages.first, "YResolution"), metadata.get("yunit", unit))
    x = Stated(_pixel_length(tif.pages.first, "XResolution"), unit)
    if um_per_unit(unit) == _INCH_UM and (_is_print(x) or _is_print(y)):  # nobody measures cells in inches
        y = x = Stated()
    spacing = _imagej_number(tif, "spacing")
    # Like ImageJ, take a negative spacing for the order of the planes.
    z = Stated(abs(spacing) if isinstance(spacing, int | float) else spacing, metadata.get("zunit", unit))
    return understood_sizes(y, x, z, Stated(_imagej_number(tif, "finterval"), metadata.get("tunit", "s")))


def _imagej_number(tif: tifffile.TiffFile, name: str) -> Any:
    """Return a number in the header of ImageJ, or its text if only Python takes it for a number, as tifffile does."""
    written = re.search(rf"^\s*{name}\s*=(.*)$", tif.pages.first.description, re.MULTILINE)
    if written and plain_number(written[1]) is None:
        return written[1].strip()
    return (tif.imagej_metadata or {}).get(name)


def _of_own(metadata: dict[str, Any]) -> Sizes:
    """Return the sizes that this package wrote, with every digit."""
    size = metadata.get("pixel_size_um")
    if isinstance(size, str):  # the header of ImageJ holds only text
        size = size.split()
    y, x = size if isinstance(size, list | tuple) and len(size) == 2 else (None, None)
    z, t = Stated(metadata.get("z_step_um"), "um"), Stated(metadata.get("time_step_s"), "s")
    return understood_sizes(Stated(y, "um"), Stated(x, "um"), z, t)


def _of_lsm(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> Sizes:
    metadata = tif.lsm_metadata or {}
    y, x, z = (Stated(metadata.get(f"VoxelSize{axis}") or None, "m") for axis in "YXZ")
    return understood_sizes(y, x, z, Stated(metadata.get("TimeIntervall") or None, "s"))  # spelt so in the format


def _of_aperio(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> Sizes:
    match = _MPP.search(series.keyframe.description)
    size = Stated(match[1], "um") if match else Stated()
    return understood_sizes(size, size)


def _of_philips(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> Sizes:
    match = _PHILIPS.search(html.unescape(tif.philips_metadata or ""))  # the first one is that of the largest image
    return understood_sizes(Stated(match[1], "mm"), Stated(match[2], "mm")) if match else Sizes()


def _of_metamorph(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> Sizes:
    metadata = tif.stk_metadata or {}
    unit, steps = metadata.get("CalibrationUnits"), metadata.get("ZDistance")
    y, x = (Stated(metadata.get(f"{axis}Calibration") or None, unit) for axis in "YX")
    z = Stated(None if steps is None or not len(steps) else float(steps[0]) or None, unit)
    return understood_sizes(y, x, z)


def _of_fluoview(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> Sizes:
    metadata = tif.fluoview_metadata or {}
    stated = {
        str(name).lower(): Stated(size or None, unit) for name, _, _, size, unit in metadata.get("Dimensions", ())
    }
    return understood_sizes(*(stated.get(axis, Stated()) for axis in "yxzt"))


def _of_olympus(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> Sizes:
    metadata = tif.sis_metadata or {}
    return understood_sizes(*(Stated(metadata.get(f"pixelsize{axis}") or None, "m") for axis in "yx"))


def _of_metaseries(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> Sizes:
    plane = (tif.metaseries_metadata or {}).get("PlaneInfo") or {}
    unit = plane.get("spatial-calibration-units")
    return understood_sizes(*(Stated(plane.get(f"spatial-calibration-{axis}") or None, unit) for axis in "yx"))


def _of_micromanager(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> Sizes:
    summary = (tif.micromanager_metadata or {}).get("Summary") or {}
    size = Stated(summary.get("PixelSize_um") or None, "um")
    z, t = Stated(summary.get("z-step_um") or None, "um"), Stated(summary.get("Interval_ms") or None, "ms")
    return understood_sizes(size, size, z, t)


def _of_fei(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> Sizes:
    scan = (tif.fei_metadata or {}).get("Scan") or {}
    return understood_sizes(Stated(scan.get("PixelHeight"), "m"), Stated(scan.get("PixelWidth"), "m"))


def _of_zeiss_sem(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> Sizes:
    entry: Any = (tif.sem_metadata or {}).get("ap_image_pixel_size") or ()
    size = Stated(entry[1], entry[2]) if len(entry) == 3 else Stated()
    return understood_sizes(size, size)


# Programs that state sizes in a place of their own. Hamamatsu, Leica and PerkinElmer use the resolution.
_PROGRAMS: tuple[tuple[str, Callable[[tifffile.TiffFile, tifffile.TiffPageSeries], Sizes]], ...] = (
    ("is_lsm", _of_lsm),
    ("is_micromanager", _of_micromanager),
    ("is_fluoview", _of_fluoview),
    ("is_stk", _of_metamorph),
    ("is_sis", _of_olympus),
    ("is_metaseries", _of_metaseries),
    ("is_fei", _of_fei),
    ("is_sem", _of_zeiss_sem),
    ("is_philips", _of_philips),
    ("is_svs", _of_aperio),
)


def _of_resolution(page: tifffile.TiffPage) -> Sizes:
    """Return the pixel size according to the resolution of a page, unless it is meant for printing."""
    # Without a unit, which would be inches by default, it can be in any unit.
    unit = _RESOLUTION_UNITS.get(page.tags.valueof("ResolutionUnit", default=1))
    if unit is None:
        return Sizes()
    y, x = (Stated(_pixel_length(page, f"{axis}Resolution"), unit) for axis in "YX")
    if _is_print(x) or _is_print(y):
        return Sizes()
    return understood_sizes(y, x)


def _pixel_length(page: tifffile.TiffPage, tag: str) -> float | None:
    """Return the length of a pixel in the unit of the resolution, or None if the tag is missing."""
    value = page.tags.valueof(tag)  # pixels per unit, as a fraction
    if not isinstance(value, tuple) or len(value) != 2 or not value[0]:
        return None
    return value[1] / value[0]


def _is_print(stated: Stated) -> bool:
    """Return True for the resolution of a print, in inches or centimetres: any coarse one in inches, or a usual one."""
    um = um_per_unit(stated.unit)
    if um not in (_INCH_UM, _CM_UM) or not stated.value:
        return False
    dpi = _INCH_UM / (stated.value * um)
    if um == _INCH_UM:
        return dpi <= _FINEST_PRINT_DPI + 1
    return dpi < _PRINT_DPI[0] or any(abs(dpi - usual) <= 1.5 for usual in _PRINT_DPI)
