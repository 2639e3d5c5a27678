"""Read channel names from TIFF metadata: OME, ImageJ and LSM."""

from __future__ import annotations

import tifffile

from cellseg_monai.formats.colour_names import CMYK, GREY_ALPHA, RGB
from cellseg_monai.formats.ome_xml import ome_image

__all__ = ["channel_names"]

_RGB, _SEPARATED, _YCBCR, _MINISBLACK = 2, 5, 6, 1
_ALPHAS = {1, 2}  # premultiplied and straight alpha
_COLOURS = {
    _RGB: RGB,
    _YCBCR: RGB,
    _SEPARATED: CMYK,
    _MINISBLACK: GREY_ALPHA[:1],
}


def channel_names(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> tuple[str, ...]:
    """Return the names of the channels or colours, with "" for an unnamed channel; empty if the file has none."""
    sizes = dict(zip(series.axes, series.shape, strict=True))
    count = sizes.get("C", 1)
    if "S" in sizes:
        return _sample_names(series.keyframe) if count == 1 else ()
    if tif.is_ome:
        image = ome_image(tif, series)
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
