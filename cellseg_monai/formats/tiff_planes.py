"""Check how many planes the metadata of a TIFF state, because tifffile makes a list of them, however long."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

import tifffile

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.notes import PLANES, Note
from cellseg_monai.formats.tiff_checks import COPY_AGAIN
from cellseg_monai.formats.tiff_files import n_planes

__all__ = ["check_micromanager_planes", "check_ome_planes", "micromanager_notes", "plane_notes", "unread_notes"]

_LEAST_PAGE_BYTES = 64  # a page of a TIFF needs at least these
_ALWAYS = 1000  # planes that always count as possible, because a short list does no harm
_MOST_PLANES = 10**7  # of a Micro-Manager stack, which can continue in other files
_COUNTS = ("IFD", "PlaneCount", "NumPlanes", "FirstC", "FirstZ", "FirstT")


def check_ome_planes(path: Path, root: ElementTree.Element | None, file_bytes: int) -> None:
    """Refuse OME-XML that states more planes than its files can hold.

    Args:
        path: image file, named in error messages.
        root: the OME-XML, or None if there is none.
        file_bytes: total size of the files.

    Raises:
        UnreadableImageError: the number of planes is impossible.
    """
    most = file_bytes // _LEAST_PAGE_BYTES + _ALWAYS
    for pixels in _pixels(root):
        stated = [_declared(pixels)] + [
            _number(data, name) for data in pixels.iterfind("{*}TiffData") for name in _COUNTS
        ]
        if max(stated) > most:
            raise UnreadableImageError(
                path, f"its metadata state {max(stated)} planes, more than the file can hold", COPY_AGAIN
            )


def check_micromanager_planes(path: Path, tif: tifffile.TiffFile) -> None:
    """Refuse a Micro-Manager stack whose metadata state an impossible number of planes.

    Raises:
        UnreadableImageError: the number of planes is impossible.
    """
    planes = _micromanager_planes(tif)
    if planes > _MOST_PLANES:
        raise UnreadableImageError(
            path, f"its metadata state {planes} planes, expected at most {_MOST_PLANES}", COPY_AGAIN
        )


def micromanager_notes(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> tuple[Note, ...]:
    """Return a note if a Micro-Manager stack holds fewer planes than were planned."""
    planned, found = _micromanager_planes(tif), sum(page is not None for page in series.pages)
    if planned <= found:
        return ()
    text = (
        f"{planned} planes were planned, and {found} are there; if the acquisition was not stopped, files are missing"
    )
    return (Note(PLANES, text),)


def _micromanager_planes(tif: tifffile.TiffFile) -> int:
    """Return the number of planes of a Micro-Manager stack, according to its metadata and index."""
    about = tif.micromanager_metadata or {}
    summary, index = about.get("Summary") or {}, about.get("IndexMap")
    lengths = [int(n) + 1 for n in index[:, :4].max(axis=0)] if index is not None and len(index) else [1] * 4
    names = ("Channels", "Slices", "Frames", "Positions")
    return math.prod(max(n, int(summary.get(name, 1))) for n, name in zip(lengths, names, strict=True))


def plane_notes(root: ElementTree.Element | None) -> tuple[Note, ...]:
    """Return a note if OME-XML describes fewer planes than it lists, so that the others are not read."""
    for pixels in _pixels(root):
        declared = _declared(pixels)
        listed = sum(_number(data, "PlaneCount") for data in pixels.iterfind("{*}TiffData"))
        samples = max([_number(channel, "SamplesPerPixel") for channel in pixels.iterfind("{*}Channel")], default=0)
        if listed > declared // max(1, samples):
            text = f"the OME-XML lists {listed} planes but describes {declared}; only these are read"
            return (Note(PLANES, text),)
    return ()


def unread_notes(path: Path, tif: tifffile.TiffFile, chosen: list[tifffile.TiffPageSeries]) -> tuple[Note, ...]:
    """Return a note if a file holds or states more planes than its metadata describe, so that the others are not read.

    Args:
        path: image file.
        tif: the same file, open.
        chosen: the series that make up the image.
    """
    key = chosen[0].keyframe
    read = sum(map(n_planes, chosen))
    held = _like_pages(path, tif, chosen, read)
    if tif.is_imagej and chosen[0].kind == "imagej":
        stated = (tif.imagej_metadata or {}).get("images", 1)  # some programs count the samples of a colour
        if isinstance(stated, int) and stated > read * key.samplesperpixel:
            held = max(held, stated)
    if held <= read:
        return ()
    return (Note(PLANES, f"the file holds {held} planes, but its metadata describe {read}; only these are read"),)


def _like_pages(path: Path, tif: tifffile.TiffFile, chosen: list[tifffile.TiffPageSeries], enough: int) -> int:
    """Return the number of pages that are like those of the image, or any number up to `enough` if there are no more.

    A page that another series uses, such as that of a lower resolution, does not count.
    """
    own = _indices(tif, chosen)
    levels = [level for series in tif.series for level in series.levels]
    others = _indices(tif, levels) - own
    if len(tif.pages) - len(others) <= enough:
        return 0
    key = chosen[0].keyframe
    with tifffile.TiffFile(path) as fresh:  # without the assumption that all pages are like the first one
        pages = [fresh.pages[n] for n in range(len(fresh.pages)) if n not in others]
        return sum(
            (page.shape, page.dtype) == (key.shape, key.dtype) and not (page.is_reduced or page.is_mask)
            for page in pages
        )


def _indices(tif: tifffile.TiffFile, series: list[tifffile.TiffPageSeries]) -> set[int]:
    """Return the places of the pages of some series in the chain of pages of a file."""
    pages = (page for one in series for page in one.pages if page is not None and page.parent is tif)
    return {page.index for page in pages if len(page.treeindex) == 1}


def _pixels(root: ElementTree.Element | None) -> list[ElementTree.Element]:
    return [] if root is None else root.findall("{*}Image/{*}Pixels")


def _declared(pixels: ElementTree.Element) -> int:
    """Return the number of planes, counting each sample of a colour."""
    return math.prod(max(1, _number(pixels, f"Size{axis}")) for axis in "CZT")


def _number(element: ElementTree.Element, name: str) -> int:
    """Return an attribute as a number, 0 if it is missing or none, as tifffile then reports."""
    text = element.get(name, "0").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
