"""Find the metadata of an image in the XML of an OME-TIFF."""

from __future__ import annotations

from functools import lru_cache
from xml.etree import ElementTree

import tifffile

__all__ = ["ome_image"]


def ome_image(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> ElementTree.Element | None:
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
