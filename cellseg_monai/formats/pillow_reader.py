"""Read PNG, JPEG and BMP files with Pillow, and the few TIFF files that only Pillow's libtiff can decode."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import BmpImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin
from PIL.ImageFile import ImageFile

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.axes import settle_axes
from cellseg_monai.formats.colour_names import CMYK, GREY_ALPHA, RGB, RGBA
from cellseg_monai.formats.decoder_errors import check_plausible_size, decoding
from cellseg_monai.formats.orientation import ORIENTATION_TAG, orientation_notes
from cellseg_monai.formats.palette import apply_palette
from cellseg_monai.formats.png_chunks import checked_png
from cellseg_monai.formats.stored import Stored

__all__ = ["load", "load_tiff"]

# Call the plugins directly, because Image.open has its own size limit: it warns above about 9,500 × 9,500 pixels and
# rejects images with twice as many, as in an everyday slide scan. Here, sizes are checked against the file instead.
_PLUGINS: dict[bytes, type[ImageFile]] = {
    b"\x89P": PngImagePlugin.PngImageFile,
    b"\xff\xd8": JpegImagePlugin.JpegImageFile,
    b"BM": BmpImagePlugin.BmpImageFile,
}
_LARGEST_RATIO = 1100.0  # the limit of deflate, which compresses the most of the three formats
_CHANNELS = {"RGB": RGB, "RGBA": RGBA, "RGBX": (*RGB, "extra"), "LA": GREY_ALPHA, "CMYK": CMYK}
_GREY_MODES = {"1", "L", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
_PNG_GREY = 0


def load(path: Path, axes: str | None, *, indices: bool = False) -> Stored:
    """Return the pixels in a file, with the axes Y, X or Y, X, samples.

    Args:
        path: file to read.
        axes: axes according to the user, or None.
        indices: True to return the indices in a palette image instead of its colours.
    """
    with decoding(path), path.open("rb") as stream:
        plugin = _PLUGINS[stream.read(2)]
        stream.seek(0)
        if plugin is PngImagePlugin.PngImageFile:
            return _load_png(path, stream.read(), axes, indices=indices)
        with plugin(stream) as image:
            return _to_stored(path, image, axes, indices=indices)


def load_tiff(path: Path, axes: str | None) -> Stored:
    """Return the pixels in a TIFF that tifffile cannot decode: old-style JPEG, or YCbCr without JPEG.

    Args:
        path: file to read.
        axes: axes according to the user, or None.
    """
    with decoding(path), path.open("rb") as stream, TiffImagePlugin.TiffImageFile(stream) as image:
        return _to_stored(path, image, axes, indices=False)


def _load_png(path: Path, content: bytes, axes: str | None, *, indices: bool) -> Stored:
    png = checked_png(path, content)
    if png.depth == 16 and png.kind != _PNG_GREY:
        # Pillow silently reduces 16-bit colours to 8 bits.
        from cellseg_monai.formats import png16_reader  # slow to import, rarely needed

        return png16_reader.load(path, png, content, axes)
    # Pillow stretches 2-bit and 4-bit greys to the range 0 to 255. Undo this to get the stored values.
    stretch = 255 // (2**png.depth - 1) if png.kind == _PNG_GREY and png.depth in (2, 4) else 1
    with PngImagePlugin.PngImageFile(png.without_texts()) as image:
        return _to_stored(path, image, axes, indices=indices, stretch=stretch)


def _to_stored(path: Path, image: ImageFile, axes: str | None, *, indices: bool, stretch: int = 1) -> Stored:
    n_frames = getattr(image, "n_frames", 1)
    if n_frames > 1 and image.format in ("PNG", "TIFF"):  # the second frame of a JPEG is a preview
        raise UnreadableImageError(
            path, f"the file holds a series of {n_frames} images", "save each as a separate file, or all as OME-TIFF"
        )
    width, height = image.size
    n_samples = len(image.getbands())
    # Greys and indices can be stored as single bits; 16-bit greys take two bytes.
    ratio = _LARGEST_RATIO * (8 if n_samples == 1 else 1)
    declared = width * height * n_samples * (2 if "16" in image.mode else 1)
    check_plausible_size(path, declared, largest_ratio=ratio, file_bytes=path.stat().st_size)
    names: tuple[str, ...] = ()
    shape: tuple[int, ...] = (height, width)
    if image.mode == "P" and not indices:
        array, is_colour = apply_palette(np.asarray(image), _palette(image))
        if is_colour:
            names, shape = RGBA if array.shape[-1] == 4 else RGB, array.shape
    elif image.mode == "P" or image.mode in _GREY_MODES:
        array = np.asarray(image) if stretch == 1 else np.asarray(image) // stretch
    elif image.mode in _CHANNELS:
        array, names = np.asarray(image), _CHANNELS[image.mode]
        shape = array.shape
    else:
        raise UnreadableImageError(
            path, f"pixels of Pillow mode {image.mode!r} are not supported", "save it as grey or RGB"
        )
    stated = "YXS"[: len(shape)]
    notes = orientation_notes(_orientation(image))
    return Stored(array, settle_axes(path, shape, stated, axes), names, stated=stated, notes=notes)


def _orientation(image: ImageFile) -> object:
    """Return the value of the orientation tag in the EXIF or TIFF metadata, or None; broken metadata count as none."""
    with suppress(Exception):
        return image.getexif().get(ORIENTATION_TAG)
    return None


def _palette(image: ImageFile) -> np.ndarray:
    """Return the palette of an image as n × 3 colours, or n × 4 if it has transparency."""
    assert image.palette is not None
    mode = image.palette.mode
    colours = np.frombuffer(image.palette.getdata()[1], np.uint8).reshape(-1, len(mode))
    if mode.startswith("BGR"):
        colours = colours[:, [2, 1, 0]]
    colours = colours[:, :4] if mode == "RGBA" else colours[:, :3]
    transparency = image.info.get("transparency")
    if transparency is None:
        return colours
    alpha: np.ndarray = np.full((len(colours), 1), 255, np.uint8)
    if isinstance(transparency, bytes):
        values = np.frombuffer(transparency, np.uint8)[: len(alpha)]
        alpha[: len(values), 0] = values
    else:
        alpha[int(transparency)] = 0
    return np.hstack([colours[:, :3], alpha])
