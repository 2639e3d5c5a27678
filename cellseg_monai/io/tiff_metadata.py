"""Read pixel sizes and channel names from TIFF metadata: OME, ImageJ, LSM and this package's own."""

from __future__ import annotations

from functools import lru_cache
from xml.etree import ElementTree

import tifffile

from cellseg_monai.io.colour_names import CMYK, GREY_ALPHA, RGB
from cellseg_monai.io.units import UM_PER_UNIT, checked_size, in_um

__all__ = ["channel_names", "pixel_size_um"]

# If no size was measured, ImageJ states the print resolution of the picture (72 dots per inch), in these units.
_PRINT_UNITS = {"in", "inch", "inches"}

_RGB, _SEPARATED, _YCBCR, _MINISBLACK = 2, 5, 6, 1
_ALPHAS = {1, 2}  # premultiplied and straight alpha
_COLOURS = {
    _RGB: RGB,
    _YCBCR: RGB,
    _SEPARATED: CMYK,
    _MINISBLACK: GREY_ALPHA[:1],
}


def pixel_size_um(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> tuple[float, float] | None:
    """Return the height and width of a pixel in µm, or None if the file does not state them."""
    if tif.is_ome:
        return _ome_pixel_size(tif, series)
    if tif.is_imagej:
        return _imagej_pixel_size(tif)
    if tif.is_lsm and tif.lsm_metadata:
        size = tif.lsm_metadata
        return checked_size(in_um(size.get("VoxelSizeY"), 1e6), in_um(size.get("VoxelSizeX"), 1e6))
    if tif.is_shaped and tif.shaped_metadata:
        own = tif.shaped_metadata[0].get("pixel_size_um")
        return checked_size(*own) if isinstance(own, list | tuple) and len(own) == 2 else None
    return None


def channel_names(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> tuple[str, ...]:
    """Return the names of the channels or colours, with "" for an unnamed channel; empty if the file has none."""
    sizes = dict(zip(series.axes, series.shape, strict=True))
    count = sizes.get("C", 1)
    if "S" in sizes:
        return _sample_names(series.keyframe) if count == 1 else ()
    if tif.is_ome:
        image = _ome_image(tif, series)
        channels = image.iterfind("{*}Pixels/{*}Channel") if image is not None else iter(())
        names = [channel.get("Name") or "" for channel in channels]
    elif tif.is_imagej:
        labels = (tif.imagej_metadata or {}).get("Labels") or []
        names = [str(label) for label in labels] if isinstance(labels, list | tuple) else []
    elif tif.is_lsm:
        colours = (tif.lsm_metadata or {}).get("ChannelColors") or {}
        names = [str(name) for name in colours.get("ColorNames", ())]
    else:
        names = []
    return tuple(names) if len(names) == count and any(names) else ()


def _sample_names(page: tifffile.TiffPage) -> tuple[str, ...]:
    """Return the names of the samples in each pixel, or an empty tuple if they are unknown."""
    colours = _COLOURS.get(int(page.photometric), ())
    extra = tuple("alpha" if int(kind) in _ALPHAS else "extra" for kind in page.extrasamples)
    if colours == GREY_ALPHA[:1] and "alpha" not in extra:
        return ()  # interleaved channels of unknown meaning
    names = colours + extra
    return names if len(names) == page.samplesperpixel else ()


def _ome_image(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> ElementTree.Element | None:
    """Return the OME `Image` element of a series, or None if it cannot be identified."""
    images = _ome_images(tif.ome_metadata or "")
    index = next((i for i, candidate in enumerate(tif.series) if candidate is series), len(images))
    # tifffile omits images without pixels. If the file has any, its series cannot be matched to its images.
    return images[index] if index < len(images) == len(tif.series) else None


@lru_cache(maxsize=1)  # because it is called once per position
def _ome_images(xml: str) -> list[ElementTree.Element]:
    try:
        return ElementTree.fromstring(xml).findall("{*}Image")
    except ElementTree.ParseError:
        return []


def _ome_pixel_size(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> tuple[float, float] | None:
    image = _ome_image(tif, series)
    pixels = image.find("{*}Pixels") if image is not None else None
    if pixels is None:
        return None
    sizes = []
    for axis in "YX":
        unit = pixels.get(f"PhysicalSize{axis}Unit", "\N{MICRO SIGN}m")
        sizes.append(in_um(pixels.get(f"PhysicalSize{axis}"), UM_PER_UNIT.get(unit.lower())))
    return checked_size(*sizes)


def _imagej_pixel_size(tif: tifffile.TiffFile) -> tuple[float, float] | None:
    unit = str((tif.imagej_metadata or {}).get("unit", "")).strip().lower()
    if unit in _PRINT_UNITS:
        return None
    sizes = []
    for tag in ("YResolution", "XResolution"):
        value = tif.pages.first.tags.valueof(tag)  # pixels per unit, as a fraction
        if not isinstance(value, tuple) or len(value) != 2 or not value[0]:
            return None
        sizes.append(in_um(value[1] / value[0], UM_PER_UNIT.get(unit)))
    return checked_size(*sizes)
