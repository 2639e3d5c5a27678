"""Read DICOM files with itk, and correct their axes."""

from __future__ import annotations

import atexit
import warnings
from pathlib import Path
from typing import Any

import itk
import numpy as np

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.formats.axes import UNSTATED, settle_axes
from cellseg_monai.formats.colour_names import RGB, RGBA
from cellseg_monai.formats.decoder_errors import check_plausible_size, decoding
from cellseg_monai.formats.dicom_checks import check_pixels, check_values, dicom_sizes
from cellseg_monai.formats.dicom_elements import dicom_elements
from cellseg_monai.formats.stored import Stored

__all__ = ["load"]

with warnings.catch_warnings():
    # itk loads its modules on first use, and Python then warns about how they were compiled. If warnings are errors,
    # this crashes the interpreter, so load the modules here, where warnings are ignored.
    warnings.simplefilter("ignore")
    for _part in ("ImageFileReader", "VectorImage", "PyBuffer"):
        getattr(itk, _part)
    itk.array_from_image(itk.Image[itk.UC, 2].New(Regions=[1, 1]))

_LARGEST_RATIO = 1100.0  # the limit of deflate, rounded up
_SCALARS = {
    "unsigned_char": "UC",
    "unsigned_short": "US",
    "short": "SS",
    "unsigned_int": "UI",
    "int": "SI",
    "unsigned_long": "UL",
    "unsigned_long_long": "ULL",
    "float": "F",
    "double": "D",
}


def load(path: Path, axes: str | None, *, indices: bool = False) -> Stored:
    """Return the array in a file, with the axes Y, X (, samples).

    The third axis of a multi-frame file can be anything, so the user has to state it.

    Args:
        path: file to read.
        axes: axes according to the user, or None.
        indices: ignored, because the format has no palettes.

    Raises:
        UnreadableImageError: the file is damaged, its axes are not stated, or its values would have to be rescaled or
            inverted.
    """
    with decoding(path):
        elements = dicom_elements(path)
        check_values(path, elements)
        info = itk.GDCMImageIO.New()
        info.SetFileName(str(path))
        info.ReadImageInformation()
        if (info.GetRescaleSlope(), info.GetRescaleIntercept()) != (1, 0):
            raise UnreadableImageError(
                path,
                f"its DICOM values have rescale slope {info.GetRescaleSlope():g} and intercept "
                f"{info.GetRescaleIntercept():g}, which are not supported",
                "save the rescaled values, with slope 1 and intercept 0",
            )
        check_pixels(path, elements, [info.GetDimensions(axis) for axis in range(info.GetNumberOfDimensions())])
        array = _read_array(path, info)
        n_spatial = info.GetNumberOfDimensions()
        if n_spatial == 3 and array.shape[0] == 1:
            array, n_spatial = array[0], 2  # itk treats every DICOM image as a volume
        stated = UNSTATED[0] * (n_spatial - 2) + "YX" + "S" * (info.GetNumberOfComponents() > 1)
        settled = settle_axes(path, array.shape, stated, axes)
        return Stored(
            array, settled, _names(info), dicom_sizes(elements, info.GetSpacing(1), info.GetSpacing(0)), stated
        )


def _read_array(path: Path, info: Any) -> np.ndarray:
    n_dimensions = info.GetNumberOfDimensions()
    scalar = _SCALARS.get(info.GetComponentTypeAsString(info.GetComponentType()))
    if scalar is None or not 2 <= n_dimensions <= 4:
        kind = info.GetComponentTypeAsString(info.GetComponentType())
        raise UnreadableImageError(
            path,
            f"{n_dimensions}-dimensional images of type {kind} are not supported by itk for Python",
            "save it as TIFF",
        )
    n_values = info.GetNumberOfComponents()
    for dimension in range(n_dimensions):
        n_values *= info.GetDimensions(dimension)
    check_plausible_size(
        path,
        n_values * info.GetComponentSize(),
        largest_ratio=_LARGEST_RATIO,
        file_bytes=path.stat().st_size,
    )
    container = itk.VectorImage if info.GetNumberOfComponents() > 1 else itk.Image
    reader = itk.ImageFileReader[container[getattr(itk, scalar), n_dimensions]].New()
    reader.SetFileName(str(path))
    reader.SetImageIO(info)
    reader.Update()
    array: np.ndarray = itk.array_from_image(reader.GetOutput())
    return array


def _names(info: Any) -> tuple[str, ...]:
    kind = info.GetPixelTypeAsString(info.GetPixelType())
    return {"rgb": RGB, "rgba": RGBA}.get(kind, ())


@atexit.register
def _end_quietly() -> None:
    """Ignore itk's warnings at exit too, when Python unloads itk and would crash on a warning raised as an error."""
    warnings.filterwarnings("ignore", "builtin type .* has no __module__", DeprecationWarning)
    # By then the warnings module may be unloaded. Python remembers the filters of the last warning, so issue one here.
    warnings.warn("builtin type itk has no __module__ attribute", DeprecationWarning, stacklevel=1)
