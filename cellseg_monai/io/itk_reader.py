"""Read MetaImage, NRRD and DICOM files with itk, and correct their axes."""

from __future__ import annotations

import atexit
import re
import warnings
from pathlib import Path
from typing import Any

import itk
import numpy as np

from cellseg_monai.errors import UnreadableImageError
from cellseg_monai.io.axes import UNSTATED, settle_axes
from cellseg_monai.io.colour_names import RGB, RGBA
from cellseg_monai.io.decoder_errors import check_plausible_size, decoding
from cellseg_monai.io.registry import HEAD_BYTES
from cellseg_monai.io.sizes import NO_SIZES, Sizes, Stated, understood_sizes
from cellseg_monai.io.stored import Stored
from cellseg_monai.io.units import um_per_unit

__all__ = ["load"]

with warnings.catch_warnings():
    # itk loads its modules on first use, and Python then warns about how they were compiled. If warnings are errors,
    # this crashes the interpreter, so load the modules here, where warnings are ignored.
    warnings.simplefilter("ignore")
    for _part in ("ImageFileReader", "VectorImage", "PyBuffer"):
        getattr(itk, _part)
    itk.array_from_image(itk.Image[itk.UC, 2].New(Regions=[1, 1]))
    # itk chooses a reader by file suffix. Choose by the first bytes instead. MetaImage has no signature and comes last.
    _READERS = (
        (0, b"NRRD", itk.NrrdImageIO),
        (128, b"DICM", itk.GDCMImageIO),
        (0, b"", itk.MetaImageIO),
    )

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
_UM_PER_MM = 1000.0
_DATA_FILE = re.compile(rb"^\s*(?:ElementDataFile\s*=|data ?file\s*:)\s*(\S.*?)\s*$", re.IGNORECASE | re.MULTILINE)
_HEADER_BYTES = 2**16
_DICOM_PHOTOMETRIC = "0028|0004"


def load(path: Path, axes: str | None, *, indices: bool = False) -> Stored:
    """Return the array in a file, with the axes (Z,) Y, X (, samples).

    The third axis of a MetaImage or NRRD file is depth, unless NRRD declares another kind of axis. The third axis of a
    multi-frame DICOM file can be anything, so the user has to state it.

    itk returns spacings without a unit. The DICOM standard defines the unit as mm. A spacing in MetaImage or NRRD
    counts only if the file names the unit, because 0.3 could be mm or µm.

    Args:
        path: file to read.
        axes: axes according to the user, or None.
        indices: ignored, because these formats have no palettes.

    Raises:
        UnreadableImageError: the file is damaged, its axes are not stated, or it is a DICOM file whose values would
            have to be rescaled or inverted.
    """
    with decoding(path):
        info = _read_information(path)
        keys = info.GetMetaDataDictionary()
        is_dicom = info.GetNameOfClass() == "GDCMImageIO"
        if is_dicom and _entry(keys, _DICOM_PHOTOMETRIC) == "MONOCHROME1":
            raise UnreadableImageError(path, "its DICOM values are inverted (MONOCHROME1)", "save it as MONOCHROME2")
        if is_dicom and (info.GetRescaleSlope(), info.GetRescaleIntercept()) != (1, 0):
            raise UnreadableImageError(
                path,
                f"its DICOM values have rescale slope {info.GetRescaleSlope():g} and intercept "
                f"{info.GetRescaleIntercept():g}, which are not supported",
                "save the rescaled values, with slope 1 and intercept 0",
            )
        array = _read_array(path, info)
        n_spatial = info.GetNumberOfDimensions()
        if is_dicom and n_spatial == 3 and array.shape[0] == 1:
            array, n_spatial = array[0], 2  # itk treats every DICOM image as a volume
        is_volume = n_spatial == 3 and not is_dicom and _is_depth(_entry(keys, "NRRD_kinds[2]"))
        stated = "ZYX" if is_volume else UNSTATED[0] * (n_spatial - 2) + "YX"
        if info.GetNumberOfComponents() > 1:
            stated += "S"
        settled = settle_axes(path, array.shape, stated, axes)
        unit = "mm" if is_dicom else _entry(keys, "ITK_VoxelUnits") or _entry(keys, "NRRD_units[0]")
        return Stored(array, settled, _names(info), _sizes(info, unit, is_volume=is_volume), stated)


def _read_information(path: Path) -> Any:
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    reader = next(reader for offset, mark, reader in _READERS if head[offset : offset + len(mark)] == mark)
    info = reader.New()
    info.SetFileName(str(path))
    info.ReadImageInformation()
    return info


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
        file_bytes=_bytes_with_data(path),
    )
    container = itk.VectorImage if info.GetNumberOfComponents() > 1 else itk.Image
    reader = itk.ImageFileReader[container[getattr(itk, scalar), n_dimensions]].New()
    reader.SetFileName(str(path))
    reader.SetImageIO(info)
    reader.Update()
    array: np.ndarray = itk.array_from_image(reader.GetOutput())
    return array


def _bytes_with_data(path: Path) -> int:
    """Return the size of a file in bytes, including the data file if it is a detached header (.mhd, .nhdr).

    Raises:
        UnreadableImageError: the pixels are spread over several files. If one of these is missing or too short, itk
            does not notice and returns arbitrary values from memory.
    """
    with path.open("rb") as stream:
        head = stream.read(_HEADER_BYTES)
    match = None if head[128:132] == b"DICM" else _DATA_FILE.search(head)
    name = match[1].decode(errors="replace") if match else "LOCAL"
    data = path.parent / name
    if name.upper() != "LOCAL" and data.is_file():
        return path.stat().st_size + data.stat().st_size
    if "%" in name or name.split()[0].upper() == "LIST":
        raise UnreadableImageError(path, f"its pixels are spread over several files ({name})", "save it as one file")
    return path.stat().st_size


def _entry(keys: Any, key: str) -> str:
    return str(keys[key]).strip() if keys.HasKey(key) else ""


def _is_depth(kind: str) -> bool:
    """Return True if an NRRD axis of this kind counts as depth."""
    return kind in ("", "domain", "space", "???", "none")


def _names(info: Any) -> tuple[str, ...]:
    kind = info.GetPixelTypeAsString(info.GetPixelType())
    return {"rgb": RGB, "rgba": RGBA}.get(kind, ())


def _sizes(info: Any, unit: str, *, is_volume: bool) -> Sizes:
    x, y, *z = (info.GetSpacing(axis) for axis in range(3 if is_volume else 2))
    if um_per_unit(unit) == _UM_PER_MM and {x, y, *z} == {1.0}:  # itk's default for a missing spacing
        return NO_SIZES
    return understood_sizes(Stated(y, unit), Stated(x, unit), *(Stated(step, unit) for step in z))


@atexit.register
def _end_quietly() -> None:
    """Ignore itk's warnings at exit too, when Python unloads itk and would crash on a warning raised as an error."""
    warnings.filterwarnings("ignore", "builtin type .* has no __module__", DeprecationWarning)
    # By then the warnings module may be unloaded. Python remembers the filters of the last warning, so issue one here.
    warnings.warn("builtin type itk has no __module__ attribute", DeprecationWarning, stacklevel=1)
