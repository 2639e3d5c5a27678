"""Images that are divided among several TIFF files, which name each other in their OME-XML.

Every file of such a set gives the whole image. The OME-XML is in each file, in one of them (the master), or in a
companion file that holds nothing else. Micro-Manager's stacks can be divided as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from xml.etree import ElementTree

import tifffile

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.decoder_errors import decoding
from cellseg_monai.formats.neighbours import MissingNeighbourError, neighbour
from cellseg_monai.formats.notes import FILE_SET, Note
from cellseg_monai.formats.tiff_planes import (
    check_micromanager_planes,
    check_ome_planes,
    micromanager_notes,
    plane_notes,
)

__all__ = ["files_of", "open_set", "parts_of", "set_notes"]

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_NDTIFF_INDEX = "NDTiff.index"
_MOST_COMPANION_BYTES = 2**28


@contextmanager
def open_set(path: Path) -> Iterator[tifffile.TiffFile]:
    """Open a TIFF file, and with it the files that its OME-XML names, none of which is read before it was checked.

    Raises:
        UnreadableImageError: a file of the set is missing, or lies outside the folder.
    """
    with tifffile.TiffFile(path) as tif:
        root = _ome_root(tif)
        source = _metadata_file(path, root)
        if source is None:
            _check_files(path, root)
            if tif.is_mmstack:
                check_micromanager_planes(path, tif)
            if tif.is_ndtiff:
                for name in {entry[1] for entry in tifffile.tifffile.read_ndtiff_index(path.parent / _NDTIFF_INDEX)}:
                    neighbour(path, name)
            yield tif
            return
    if _is_tiff(source):
        with tifffile.TiffFile(source) as tif:
            _check_files(source, _ome_root(tif))
            yield tif
        return
    xml = _companion_xml(source)
    _check_files(path, ElementTree.fromstring(xml))
    with tifffile.TiffFile(path, omexml=xml) as tif:
        yield tif


def files_of(file: Path) -> set[Path]:
    """Return the files that make up the image in a TIFF file, including that file and a companion with the OME-XML.

    Raises:
        UnreadableImageError: the file cannot be read.
    """
    with decoding(file):
        return {file, *_others(file)}


def _others(file: Path) -> Iterator[Path]:
    """Yield the files that make up an image together with a file, and perhaps that file itself."""
    with tifffile.TiffFile(file) as tif:
        is_stack, root = tif.is_mmstack or tif.is_ndtiff, _ome_root(tif)
    if is_stack:
        with open_set(file) as tif:
            # tifffile resolves links and relative paths, but all parts lie in the folder of the file.
            yield from (
                file.parent / Path(part.filehandle.path).name for part in parts_of(tif.series) if part is not tif
            )
        return
    source = _metadata_file(file, root)
    if source is not None:
        root = _root_of(source) if _is_tiff(source) else ElementTree.fromstring(_companion_xml(source))
        yield source
    for name in _named_files(root):
        with suppress(UnreadableImageError):  # missing, or elsewhere
            yield neighbour(file, name)


def parts_of(series: list[tifffile.TiffPageSeries]) -> list[tifffile.TiffFile]:
    """Return the open or closed files that hold the pages of some series, each once."""
    pages = (page for one in series for page in one.pages if page is not None)
    return list({id(page.parent): page.parent for page in pages}.values())


def set_notes(tif: tifffile.TiffFile, series: list[tifffile.TiffPageSeries]) -> tuple[Note, ...]:
    """Return notes on files that are not those which the OME-XML means, by their identifiers (UUID), and on planes."""
    if series[0].kind == "mmstack":
        return micromanager_notes(tif, series[0])
    ome_root = _ome_root(tif)
    named = _named_files(ome_root)
    strangers = []
    for part in parts_of(series):
        name = Path(part.filehandle.path).name
        expected = named.get(name)
        if part is tif or not expected:
            continue
        root = _root_of_xml(str(part.pages.first.description))
        if root is not None and root.get("UUID") not in (None, expected):
            strangers.append(name)
    if not strangers:
        return plane_notes(ome_root)
    listed = ", ".join(strangers[:3]) + (", …" if len(strangers) > 3 else "")
    return (Note(FILE_SET, f"the UUID of {listed} is not the one stated in its OME-TIFF; check that it belongs to it"),)


def _ome_root(tif: tifffile.TiffFile) -> ElementTree.Element | None:
    """Return the OME-XML of a file, or None if tifffile does not use it."""
    if not tif.is_ome or tif.is_shaped or tif.is_lsm or tif.is_mmstack:
        return None
    return _root_of_xml(tif.ome_metadata or "")


def _root_of(source: Path) -> ElementTree.Element | None:
    with tifffile.TiffFile(source) as tif:
        return _ome_root(tif)


def _root_of_xml(xml: str) -> ElementTree.Element | None:
    try:
        return ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return None  # as for tifffile, this is then a TIFF without OME-XML


def _metadata_file(path: Path, root: ElementTree.Element | None) -> Path | None:
    """Return the file that holds the OME-XML of a set, or None if the file itself does."""
    elsewhere = root.find("{*}BinaryOnly") if root is not None else None
    name = elsewhere.get("MetadataFile") if elsewhere is not None else None
    return neighbour(path, name) if name else None


def _is_tiff(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) in _TIFF_STARTS


def _companion_xml(source: Path) -> str:
    if source.stat().st_size > _MOST_COMPANION_BYTES:
        raise UnreadableImageError(source, "it is too large for OME-XML", "export the image again")
    return source.read_text("utf-8-sig")


def _named_files(root: ElementTree.Element | None) -> dict[str, str | None]:
    """Return the identifier (UUID) of each file that OME-XML names, by its name, but not of the file itself."""
    if root is None:
        return {}
    uuids = root.iterfind("{*}Image/{*}Pixels/{*}TiffData/{*}UUID")
    return {u.get("FileName", ""): u.text for u in uuids if u.get("FileName") and u.text != root.get("UUID")}


def _check_files(path: Path, root: ElementTree.Element | None) -> None:
    """Refuse a set of files of which one is missing or lies elsewhere, or OME-XML that they cannot fulfil.

    Raises:
        UnreadableImageError: the message names the file.
    """
    named = _named_files(root)
    file_bytes = path.stat().st_size
    for name in named:
        try:
            file_bytes += neighbour(path, name).stat().st_size
        except MissingNeighbourError:
            if len(named) > 1 or (root is not None and root.get("UUID")):
                raise
            # Otherwise, this is a single file that was renamed.
    check_ome_planes(path, root, file_bytes)
