"""Check the lengths in a DICOM file before itk reads it, because itk allocates whatever length an element states."""

from __future__ import annotations

import struct
from pathlib import Path

from cellseg_monai.errors import UnreadableImageError

__all__ = ["check_lengths"]

_PREAMBLE_BYTES = 132
_LONG_KINDS = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_UNDEFINED = 2**32 - 1
_META_GROUP, _TRANSFER_SYNTAX = 2, 0x10
_IMPLICIT, _BIG_ENDIAN, _DEFLATED = b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.2", b"1.2.840.10008.1.2.1.99"


def check_lengths(path: Path) -> None:
    """Refuse a DICOM file with an element that is longer than the rest of the file.

    Elements are followed up to the first one of undefined length, such as compressed pixels.

    Raises:
        UnreadableImageError: the message names the element.
    """
    size, syntax = path.stat().st_size, b""
    with path.open("rb") as stream:
        stream.seek(_PREAMBLE_BYTES)
        while len(head := stream.read(8)) == 8:
            is_meta = head[:2] == struct.pack("<H", _META_GROUP)
            if syntax == _DEFLATED and not is_meta:
                return
            order = ">" if syntax == _BIG_ENDIAN and not is_meta else "<"
            group, element, kind, length = struct.unpack(f"{order}HH2sH", head)
            if syntax == _IMPLICIT and not is_meta:
                (length,) = struct.unpack("<I", head[4:])
            elif kind in _LONG_KINDS:
                longer = stream.read(4)
                length = struct.unpack(f"{order}I", longer)[0] if len(longer) == 4 else _UNDEFINED
            if length == _UNDEFINED:
                return
            if stream.tell() + length > size:
                raise UnreadableImageError(
                    path,
                    f"the data ends within the DICOM element ({group:04x},{element:04x})",
                    "the file is truncated or damaged, so copy or export it again",
                )
            if (group, element) == (_META_GROUP, _TRANSFER_SYNTAX):
                syntax = stream.read(length).rstrip(b"\0 ")
            else:
                stream.seek(length, 1)
