"""Follow the elements of a DICOM file before itk reads it, because itk trusts whatever lengths they state."""

from __future__ import annotations

import mmap
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.decoder_errors import SMALL_BYTES

__all__ = ["RESCALING", "DicomElements", "dicom_elements"]

RESCALING = (0x0028_1052, 0x0028_1053)
"""The tags of the rescale intercept and slope, which can also stand within sequences."""

_PREAMBLE_BYTES = 132
_LONG_KINDS = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_SHORT_KINDS = {
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS",
    b"ST", b"TM", b"UI", b"UL", b"US",
}  # fmt: skip
_UNDEFINED = 2**32 - 1
_META_GROUP, _TRANSFER_SYNTAX, _PIXELS = 2, 0x0002_0010, 0x7FE0_0010
_ITEM, _ITEM_END, _SEQUENCE_END, _DELIMITERS = 0xFFFE_E000, 0xFFFE_E00D, 0xFFFE_E0DD, 0xFFFE
_FIRST_ITEM = struct.pack("<HH", _ITEM >> 16, _ITEM & 0xFFFF)
_BIG_ENDIAN, _DEFLATED = b"1.2.840.10008.1.2.2", b"1.2.840.10008.1.2.1.99"
_IMPLICIT = {b"1.2.840.10008.1.2", b"1.2.840.113619.5.2"}  # the second is a private one, with big-endian pixels
_VALUE_BYTES = 64  # kept of each value
_HEAD_BYTES = 12  # kept of each fragment
_MOST_LEVELS = 64
_COPY_AGAIN = "the file is truncated or damaged, so copy or export it again"


@dataclass
class DicomElements:
    """Facts that the elements of a DICOM file state.

    Args:
        syntax: identifier of the transfer syntax.
        order: byte order of numbers, "<" or ">".
        values: the first bytes of the elements outside sequences, by tag. A sequence without items is empty.
        rescalings: rescale intercepts and slopes, within sequences or not.
        native_bytes: length of uncompressed pixels, or None if there are none.
        fragments: the first bytes of each piece of compressed pixels, without the table of offsets.
    """

    syntax: bytes = b""
    order: str = "<"
    values: dict[int, bytes] = field(default_factory=dict)
    rescalings: list[tuple[int, bytes]] = field(default_factory=list)
    native_bytes: int | None = None
    fragments: list[bytes] = field(default_factory=list)

    def text(self, tag: int) -> str:
        """Return the text of an element, which is empty if the file lacks it."""
        return self.values.get(tag, b"").decode("latin-1").strip(" \0")

    def number(self, tag: int, default: int = 0) -> int:
        """Return a 16-bit number, or `default` if the file lacks it."""
        value = self.values.get(tag, b"")
        return int(struct.unpack_from(f"{self.order}H", value)[0]) if len(value) >= 2 else default


def dicom_elements(path: Path) -> DicomElements:
    """Return what the elements of a DICOM file state, following all of them, also within sequences.

    Raises:
        UnreadableImageError: an element is longer than what holds it, of an unknown kind, or nested too deep, or there
            are several elements of pixels. The message names the element.
    """
    found = DicomElements()
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        meta = _Walk(path, content, found, is_explicit=True)
        start = meta.group(_PREAMBLE_BYTES)
        found.syntax = found.values.get(_TRANSFER_SYNTAX, b"").rstrip(b"\0 ")
        if found.syntax == _DEFLATED:
            _Walk(path, _inflated(path, content[start:]), found, is_explicit=True).dataset(0)
            return found
        found.order = ">" if found.syntax == _BIG_ENDIAN else "<"
        is_explicit = found.syntax not in _IMPLICIT
        if not found.syntax:
            is_explicit = content[start + 4 : start + 6] in _LONG_KINDS | _SHORT_KINDS
        _Walk(path, content, found, is_explicit=is_explicit).dataset(start)
    return found


def _inflated(path: Path, content: bytes) -> bytes:
    inflated = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, SMALL_BYTES + 1)
    if len(inflated) > SMALL_BYTES:
        raise UnreadableImageError(
            path, f"its deflated elements unpack to more than {SMALL_BYTES} bytes", "save it without deflating it"
        )
    return inflated


class _Walk:
    """A walk along the elements in some bytes, which notes what is found.

    Args:
        path: file, named in error messages.
        content: the bytes.
        found: where to note it.
        is_explicit: True if each element names the kind of its value.
    """

    def __init__(self, path: Path, content: bytes | mmap.mmap, found: DicomElements, *, is_explicit: bool) -> None:
        self._path, self._content, self._found, self._is_explicit = path, content, found, is_explicit

    def group(self, at: int) -> int:
        """Follow the elements that describe the file; return the position at which they end."""
        while self._content[at : at + 2] == struct.pack("<H", _META_GROUP):
            at = self._element(at, len(self._content), 0)
        return at

    def dataset(self, at: int) -> None:
        """Follow all other elements."""
        end = len(self._content)
        while end - at >= 8:
            if self._has_pixels and not any(self._content[at : at + 8]):
                return  # padding
            at = self._element(at, end, 0)

    @property
    def _has_pixels(self) -> bool:
        return self._found.native_bytes is not None or bool(self._found.fragments)

    def _element(self, at: int, end: int, level: int) -> int:
        """Follow the element at a position; return the position at which it ends."""
        tag, kind, length, at = self._head(at, end)
        if tag >> 16 == _DELIMITERS or level > _MOST_LEVELS:
            self._refuse(f"the DICOM element {_name(tag)} is out of place")
        if tag == _PIXELS and level == 0 and self._has_pixels:
            self._refuse(f"it has several DICOM elements {_name(tag)}")
        if length == _UNDEFINED:
            if tag == _PIXELS:
                return self._fragments(at, end, level)
            if kind not in (b"SQ", b"UN", b""):
                self._refuse(f"the DICOM element {_name(tag)} of kind {kind!r} states no length")
            # A sequence of unknown kind is always implicit.
            return self._sequence(tag, at, end, level, is_explicit=self._is_explicit and kind != b"UN")
        if at + length > end:
            self._refuse_end(tag)
        # Without a kind, a sequence is recognised by its first item.
        is_items = not kind and tag != _PIXELS and self._content[at : at + 4] == _FIRST_ITEM
        if kind == b"SQ" or is_items:
            return self._sequence(tag, at, at + length, level, has_end=False, is_explicit=self._is_explicit)
        if tag == _PIXELS and level == 0:
            self._found.native_bytes = length
        self._note(tag, self._content[at : at + min(length, _VALUE_BYTES)], level)
        return at + length

    def _head(self, at: int, end: int) -> tuple[int, bytes, int, int]:
        """Return the tag, kind and length of the element at a position, and the position of its value."""
        if at + 8 > end:
            self._refuse(f"the data ends within a DICOM element at byte {at}")
        order = "<" if self._content[at : at + 2] == struct.pack("<H", _META_GROUP) else self._found.order
        group, element = struct.unpack_from(f"{order}HH", self._content, at)
        tag, kind = group << 16 | element, bytes(self._content[at + 4 : at + 6])
        if not self._is_explicit or group == _DELIMITERS:
            return tag, b"", struct.unpack_from(f"{order}I", self._content, at + 4)[0], at + 8
        if kind in _LONG_KINDS:
            if at + 12 > end:
                self._refuse_end(tag)
            return tag, kind, struct.unpack_from(f"{order}I", self._content, at + 8)[0], at + 12
        if kind not in _SHORT_KINDS:
            self._refuse(f"the DICOM element {_name(tag)} is of the unknown kind {kind!r}")
        return tag, kind, struct.unpack_from(f"{order}H", self._content, at + 6)[0], at + 8

    def _sequence(
        self, tag: int, at: int, end: int, level: int, *, has_end: bool = True, is_explicit: bool = True
    ) -> int:
        """Follow the items of a sequence, up to a delimiter if it has an end of its own, otherwise up to `end`."""
        n_items = 0
        outer, self._is_explicit = self._is_explicit, is_explicit
        while has_end or at < end:
            mark, _, length, at = self._head(at, end)
            if mark == _SEQUENCE_END and has_end:
                break
            if mark != _ITEM:
                self._refuse(f"the DICOM element {_name(mark)} is out of place")
            n_items += 1
            item_end = end if length == _UNDEFINED else at + length
            if item_end > end:
                self._refuse_end(tag)
            at = self._item(at, item_end, level + 1, has_end=length == _UNDEFINED)
        self._is_explicit = outer
        self._note(tag, b"items" if n_items else b"", level)
        return at

    def _item(self, at: int, end: int, level: int, *, has_end: bool) -> int:
        while has_end or at < end:
            if has_end and self._head(at, end)[0] == _ITEM_END:
                return at + 8
            at = self._element(at, end, level)
        return at

    def _fragments(self, at: int, end: int, level: int) -> int:
        """Follow the pieces of compressed pixels, the first of which is the table of offsets."""
        heads: list[bytes] = []
        while True:
            mark, _, length, at = self._head(at, end)
            if mark == _SEQUENCE_END:
                break
            if mark != _ITEM or at + length > end:
                self._refuse_end(_PIXELS)
            heads.append(self._content[at : at + min(length, _HEAD_BYTES)])
            at += length
        if level == 0:
            self._found.fragments = heads[1:]
        return at

    def _note(self, tag: int, value: bytes, level: int) -> None:
        if level == 0:
            self._found.values.setdefault(tag, value)
        if tag in RESCALING:
            self._found.rescalings.append((tag, value))

    def _refuse(self, reason: str) -> NoReturn:
        raise UnreadableImageError(self._path, reason, _COPY_AGAIN)

    def _refuse_end(self, tag: int) -> NoReturn:
        self._refuse(f"the data ends within the DICOM element {_name(tag)}")


def _name(tag: int) -> str:
    return f"({tag >> 16:04x},{tag & 0xFFFF:04x})"
