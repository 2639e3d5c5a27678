"""Read the pixels that a MetaImage or NRRD header describes, and check that they match the header exactly."""

from __future__ import annotations

import bz2
import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np

from cellseg_monai.boxes import SlicedArray
from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.axes import UNSTATED
from cellseg_monai.formats.decoder_errors import check_exact_size, check_plausible_size
from cellseg_monai.formats.lazy_arrays import MappedArray
from cellseg_monai.formats.neighbours import neighbour
from cellseg_monai.formats.sizes import NO_SIZES, Sizes, Stated, understood_sizes
from cellseg_monai.formats.units import plain_number, um_per_unit

__all__ = [
    "UNKNOWN_LENGTH",
    "VolumeData",
    "damaged",
    "data_beside",
    "header_lines",
    "measure",
    "n_dimensions",
    "spatial_axes",
    "stated_sizes",
    "whole_numbers",
]

UNKNOWN_LENGTH = "an unknown length"
"""The value of a spacing of which a header states only the unit."""

_LARGEST_HEADER = 2**20
# Largest number of decoded bytes per byte in the file; the number for deflate is rounded up.
_RATIOS = {"raw": 1, "text": 4, "hex": 0.5, "zlib": 1100, "gzip": 1100, "bzip2": math.inf}
_SURPLUS_BYTES = 2**24  # number of surplus bytes to decode, so that a message can say how many there are
_DAMAGED = "it is damaged, so copy or export it again"
_UM_PER_MM = 1000.0
_MOST_AXES = 16
_DECOMPRESSORS: dict[str, Callable[[], Any]] = {
    "zlib": lambda: zlib.decompressobj(zlib.MAX_WBITS | 32),  # also accepts gzip, as MetaImage does
    "gzip": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16),
    "bzip2": bz2.BZ2Decompressor,
}


@dataclass(frozen=True)
class VolumeData:
    """The location and type of a volume's pixels in a file.

    Args:
        header: file with the header, named in error messages.
        file: file with the pixels, which is the header file itself or a file next to it.
        start: position of the encoded pixels in the file, in bytes.
        shape: shape of the array, with the axis that varies fastest last.
        dtype: type of the values, including their byte order.
        encoding: "raw", "text", "hex", or a kind of compression: "zlib", "gzip" or "bzip2".
        skipped: number of bytes before the pixels, after decoding.
    """

    header: Path
    file: Path
    start: int
    shape: tuple[int, ...]
    dtype: np.dtype
    encoding: str = "raw"
    skipped: int = 0

    def array(self) -> SlicedArray:
        """Return the pixels, which stay on disk if they are uncompressed, and are otherwise read into memory.

        Raises:
            UnreadableImageError: there are fewer or more values than the header declares, or a checksum is wrong.
        """
        held = self.file.stat().st_size - self.start
        check_plausible_size(
            self.header, self.skipped + self.n_bytes, largest_ratio=_RATIOS[self.encoding], file_bytes=max(0, held)
        )
        if self.encoding == "raw":
            check_exact_size(self.header, self.n_bytes, held - self.skipped)
            return MappedArray(self.file, self.dtype, self.shape, self.start + self.skipped)
        with self.file.open("rb") as stream:
            stream.seek(self.start)
            content = stream.read()
        if self.encoding == "text":
            return self._numbers(content[self.skipped :])
        is_hex = self.encoding == "hex"
        decoded = bytes.fromhex(content[self.skipped :].decode("ascii")) if is_hex else self._unpacked(content)
        check_exact_size(self.header, self.n_bytes, len(decoded))
        return np.frombuffer(decoded, self.dtype).reshape(self.shape)

    @property
    def n_bytes(self) -> int:
        """Size of the decoded pixels in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    def _unpacked(self, content: bytes) -> bytes:
        """Return the decompressed pixels, with some surplus bytes if there are more than the header declares.

        The decompressors verify the checksums.
        """
        unpacked, limit = bytearray(), self.skipped + self.n_bytes + _SURPLUS_BYTES
        while content and len(unpacked) < limit:  # a decompressor takes a limit of 0 for none
            decompressor = _DECOMPRESSORS[self.encoding]()
            try:
                unpacked += decompressor.decompress(content, limit - len(unpacked))
            except (zlib.error, OSError) as error:
                damaged(self.header, f"its compressed pixels are damaged after {len(unpacked)} bytes", cause=error)
            if not decompressor.eof:
                break
            content = decompressor.unused_data
        pixels = bytes(unpacked[self.skipped :])
        if content and len(pixels) <= self.n_bytes:
            damaged(
                self.header,
                f"its header declares {self.n_bytes} bytes of pixels, but its compressed data end after {len(pixels)}, "
                "without a checksum",
            )
        return pixels

    def _numbers(self, content: bytes) -> np.ndarray:
        words = content.replace(b",", b" ").split()
        if b"_" in content:  # Python allows underscores in numbers
            damaged(self.header, "its pixels are not numbers")
        n_values = math.prod(self.shape)
        if len(words) != n_values:
            damaged(self.header, f"its header declares {n_values} values, but the file holds {len(words)}")
        if self.dtype.kind == "f":
            return np.array(words).astype(self.dtype).reshape(self.shape)
        numbers = list(map(int, words))
        limits = np.iinfo(self.dtype)
        if min(numbers) < limits.min or max(numbers) > limits.max:
            damaged(self.header, f"it holds numbers that do not fit its type {self.dtype.name}")
        return np.array(numbers, self.dtype).reshape(self.shape)


def header_lines(path: Path, stream: BinaryIO, is_last: Callable[[str], bool]) -> list[str]:
    """Return the lines of a header without line breaks, leaving the stream at the end of the header.

    Args:
        path: file, named in error messages.
        stream: the file, open at the first line.
        is_last: function that recognises the last line, which is included in the result.

    Raises:
        UnreadableImageError: the header is too long.
    """
    lines: list[str] = []
    left = _LARGEST_HEADER
    while not (lines and is_last(lines[-1])):
        line = stream.readline(left)
        left -= len(line)
        if not line.endswith(b"\n") and (left <= 0 or not line):
            break
        lines.append(line.rstrip(b"\r\n").decode("utf-8", "surrogateescape"))
    if left <= 0:
        damaged(path, f"its header does not end within {_LARGEST_HEADER} bytes")
    return lines


def data_beside(header: Path, name: str) -> Path:
    """Return the file with the pixels for a detached header, which must be a regular file in the same folder.

    Raises:
        UnreadableImageError: the name leads out of the folder, there is no such file, or there are several files.
    """
    if name.split()[:1] in (["LIST"], ["List"], ["list"]) or "%" in name:
        raise UnreadableImageError(
            header, f"its pixels are spread over several files ({name[:80]!r})", "save it as one file"
        )
    return neighbour(header, name.removeprefix("./"))


def damaged(path: Path, reason: str, *, cause: Exception | None = None) -> NoReturn:
    """Raise the error for a damaged file.

    Raises:
        UnreadableImageError: always.
    """
    raise UnreadableImageError(path, reason, _DAMAGED) from cause


def whole_numbers(path: Path, field: str, text: str, count: int) -> tuple[int, ...]:
    """Return the positive whole numbers in a header field.

    Args:
        path: file, named in error messages.
        field: name of the field, for error messages.
        text: content of the field.
        count: required number of numbers.

    Raises:
        UnreadableImageError: the field holds anything else, or a different number of numbers.

    >>> whole_numbers(Path("a.nrrd"), "sizes", "4 3", 2)
    (4, 3)
    """
    words = text.split()
    if len(words) != count or not all(word.isascii() and word.isdigit() and int(word[:20]) > 0 for word in words):
        noun = "a positive whole number" if count == 1 else f"{count} positive whole numbers"
        damaged(path, f"its header states {field} {text[:80]!r}, expected {noun}")
    return tuple(map(int, words))


def measure(path: Path, field: str, word: str) -> float:
    """Return a number in a header field, which can be NaN.

    Raises:
        UnreadableImageError: it is no number, or written as only Python writes it.
    """
    number = plain_number(word)
    if number is None and word.lower().lstrip("+-") not in ("nan", "inf", "infinity"):
        damaged(path, f"its header states {word[:80]!r} as {field}, expected a number")
    return float(word) if number is None else number


def n_dimensions(path: Path, field: str, text: str) -> int:
    """Return the number of dimensions in a header field.

    Raises:
        UnreadableImageError: the field does not hold a whole number between 2 and 16.
    """
    (number,) = whole_numbers(path, field, text, 1)
    if not 2 <= number <= _MOST_AXES:
        raise UnreadableImageError(
            path, f"got a {number}-dimensional image, expected 2 to 16 dimensions", "save it as TIFF"
        )
    return number


def spatial_axes(count: int, *, third_is_depth: bool = True) -> str:
    """Return the axes of an array with a given number of spatial dimensions.

    A third dimension is depth (Z), unless `third_is_depth` is False. All dimensions beyond Y and X are otherwise
    unknown.

    >>> spatial_axes(2), spatial_axes(3), spatial_axes(4)
    ('YX', 'ZYX', 'IIYX')
    """
    return "ZYX" if count == 3 and third_is_depth else UNSTATED[0] * (count - 2) + "YX"


def stated_sizes(steps: Sequence[Stated]) -> Sizes:
    """Return the sizes that a header states.

    Args:
        steps: distance between neighbours along X, Y and, for a volume, Z; `UNKNOWN_LENGTH` if it is not stated.

    >>> stated_sizes([Stated(0.25, "um"), Stated(0.5, "um")]).pixel_size_um, stated_sizes([Stated(1, "mm")] * 2)
    ((0.5, 0.25), Sizes(pixel_size_um=None, z_step_um=None, time_step_s=None, notes=()))
    """
    if all(step.value in (1, UNKNOWN_LENGTH) and um_per_unit(step.unit) == _UM_PER_MM for step in steps):
        return NO_SIZES  # programs write 1 mm if they know no spacing
    x, y, *z = steps
    return understood_sizes(y, x, *z)
