"""The settings for segmentation, each defined once with its type, default, limits and description.

The flags of `cellseg segment`, the keywords of `cellseg_monai.segment` and `bundle.load_pipeline`, and `arguments` in
`run.json` are all derived from `SegmentOptions`. To add a setting, add a field here and use it where it takes effect.

Nothing heavy is imported here, so that `cellseg segment --help`, which lists the settings, responds instantly.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import numbers
import os
import re
import textwrap
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, wraps
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from cellseg_monai.bundle_name import bundle_text, is_bundle_path
from cellseg_monai.settings import settings_from_mapping

__all__ = [
    "AUTO",
    "DEFAULT_BUNDLE",
    "PIPELINE_OPTIONS",
    "POLARITIES",
    "READING_OPTIONS",
    "SINGLE_BUNDLE",
    "SegmentOptions",
    "bytes_of",
    "takes_options",
]

Function = TypeVar("Function", bound=Callable[..., Any])

AUTO = "auto"
"""The bundle that stands for whichever shipped bundle suits an image."""

SINGLE_BUNDLE = "nuclei"
"""The default of commands that need one particular bundle, such as `cellseg calibrate`."""

DEFAULT_BUNDLE = AUTO
"""The default of `SegmentOptions.bundle`."""

POLARITIES = (AUTO, "bright", "dark")
"""The values of `SegmentOptions.polarity`."""

_UNITS = {"MB": 10**6, "GB": 10**9, "MIB": 2**20, "GIB": 2**30}


def _option(default: Any, text: str, *, least: int | None = None, above: int | None = None) -> Any:
    """Return a dataclass field with a default, a description and limits."""
    return field(default=default, metadata={"text": text, "least": least, "above": above})


@dataclass(frozen=True)
class SegmentOptions:
    """Settings that affect the results or the speed of segmentation.

    Paths can be given as `Path` objects and sequences as lists; they are stored as strings and tuples. Where the
    default is None, the value depends on the bundle, the files or the device.

    Raises:
        TypeError: a value does not have the type of its field.
        ValueError: a value is out of range or malformed.

    >>> SegmentOptions(diameter=30, channels=["DAPI"]).diameter
    30.0
    >>> SegmentOptions(tile=0)
    Traceback (most recent call last):
        ...
    ValueError: got tile=0, expected a finite number of at least 1; change or omit the value
    """

    bundle: str = _option(
        DEFAULT_BUNDLE,
        "auto to choose, for each image, the shipped bundle that suits it; or the name of a bundle that ships with "
        "this package; or path of a bundle's folder or zip, such as ./mine.",
    )
    export: str = _option(
        "labels,csv",
        "files to write, separated by commas: labels, ome, zarr, rois, geojson, coco, csv, parquet, h5ad, overlay.",
    )
    channels: str | tuple[str | int, ...] | None = _option(
        None,
        "channels for the network: names, or numbers counted from 0, separated by commas, such as DAPI or 0. Names "
        "with commas, or made of digits, need a JSON list, such as '[\"DA,PI\"]'; in Python, also a list. By default, "
        "the channels that the bundle names.",
    )
    axes: str | None = _option(None, "axes of the images, such as ZYX or YXS, if the files do not state them.")
    pixel_size: float | tuple[float, float] | None = _option(
        None,
        "pixel size of the images in µm, overriding the one in the files; in Python, also (height, width). A bundle "
        "that was trained at one pixel size uses it to rescale images; with other bundles, such as nuclei, use "
        "diameter.",
        above=0,
    )
    diameter: float | str | None = _option(
        "auto",
        "diameter of the cells in the images, in pixels; auto to estimate it for each image, if the bundle was trained "
        "at one diameter; or none to keep the size of the images. Images are rescaled until their cells are as large "
        "as those in the training images, regardless of the pixel size.",
        above=0,
    )
    polarity: str = _option(
        "auto",
        "whether the cells are bright or dark on their surroundings; auto to estimate it for each image. A bundle that "
        "expects bright cells, such as nuclei, inverts images with dark ones; with other bundles, leave it out.",
    )
    strict: bool = _option(
        False, "refuse images that seem to be of another kind than the bundle is made for, instead of flagging them."
    )
    tta: bool = _option(
        False, "test-time augmentation: average over eight symmetric views, which takes eight times the work."
    )
    tile: int | None = _option(
        None, "side of the tiles that the network processes, in pixels; by default, set by the bundle.", least=1
    )
    overlap: int | None = _option(
        None,
        "overlap between neighbouring tiles, in pixels, up to half a tile; by default, set by the bundle, or half a "
        "tile if that is less.",
        least=0,
    )
    device: str = _option("auto", "device that runs the network: auto, cpu, cuda, cuda:1, mps.")
    amp: bool | None = _option(None, "use bfloat16 instead of float32; by default, if that is faster on this hardware.")
    checkpoint: str | None = _option(
        None,
        "file with the weights; by default, those from training in the bundle's output/, or else those shipped with "
        "the bundle.",
    )
    postprocess: str | None = _option(
        None,
        "a postprocess.json written by `cellseg calibrate`; by default, the one next to the weights, or else the one "
        "in the bundle.",
    )
    max_memory: str | None = _option(
        None,
        "approximate memory limit of each process, such as 4GB; it limits how many tiles the network processes at the "
        "same time, and the size of planes that are held in memory.",
    )

    def __post_init__(self) -> None:
        types = _types()
        for option in dataclasses.fields(self):
            value = getattr(self, option.name)
            if option.name == "bundle" and isinstance(value, os.PathLike):
                value = bundle_text(value)  # otherwise a path could become a name
            try:
                value = _converted(value, types[option.name])
            except TypeError:
                raise TypeError(f"got {option.name}={value!r}, expected {option.type}; change the value") from None
            except OverflowError:
                raise ValueError(f"got {option.name}={value!r:.50}, expected a smaller number; change it") from None
            _check_limits(option, value)
            if isinstance(value, str) and not value.strip():
                raise ValueError(f"got {option.name}={value!r}, expected a path or name; write one, or leave it out")
            object.__setattr__(self, option.name, value)
        if self.diameter is None:  # in Python, and in the records of earlier versions
            object.__setattr__(self, "diameter", "none")
        if isinstance(self.diameter, str) and self.diameter not in ("auto", "none"):
            raise ValueError(
                f"got diameter={self.diameter!r}, expected a number of pixels, auto or none; change or omit the value"
            )
        if self.polarity not in POLARITIES:
            raise ValueError(
                f"got polarity={self.polarity!r}, expected {', '.join(POLARITIES)}; change or omit the value"
            )
        if self.max_memory is not None:
            bytes_of(self.max_memory)
        own = [name for name in ("checkpoint", "postprocess") if getattr(self, name) is not None]
        if self.bundle == AUTO and own:
            raise ValueError(
                f"got {own[0]}={getattr(self, own[0])} with bundle={AUTO}, expected the bundle of that file; name "
                f"it, as in --bundle {SINGLE_BUNDLE}"
            )

    @property
    def pixel_size_um(self) -> tuple[float, float] | None:
        """Height and width of a pixel in µm, or None to use what the files state."""
        if isinstance(self.pixel_size, float):
            return (self.pixel_size, self.pixel_size)
        return self.pixel_size

    @property
    def most_bytes(self) -> int | None:
        """`max_memory` as a number of bytes, or None if there is no limit."""
        return None if self.max_memory is None else bytes_of(self.max_memory)

    def with_absolute_paths(self) -> SegmentOptions:
        """Return the same options with absolute paths, which are valid in any folder; bundle names are kept."""
        checkpoint, postprocess = (
            None if path is None else str(Path(path).absolute()) for path in (self.checkpoint, self.postprocess)
        )
        return dataclasses.replace(
            self,
            bundle=str(Path(self.bundle).absolute()) if is_bundle_path(self.bundle) else self.bundle,
            checkpoint=checkpoint,
            postprocess=postprocess,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the options as they are stored in `run.json`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any], *, source: str) -> SegmentOptions:
        """Return the options that `to_json` wrote; options missing from files by older versions get their defaults.

        Args:
            values: values of the options by name.
            source: where the values come from, for error messages.

        Raises:
            ValueError: an option is unknown, has the wrong type, or has an invalid value.
        """
        return settings_from_mapping(cls, values, source=source)


PIPELINE_OPTIONS = (
    "channels", "diameter", "polarity", "strict", "tta", "tile", "overlap", "device", "amp", "checkpoint",
    "postprocess",
)  # fmt: skip
"""The options, besides the bundle, that decide how the pixels of an image are processed."""

READING_OPTIONS = ("axes", "pixel_size")
"""The options that decide how an image file is interpreted."""


def bytes_of(text: str) -> int:
    """Return the number of bytes in an amount of memory such as "4GB".

    Args:
        text: a number followed by MB, GB, MiB or GiB.

    Raises:
        ValueError: the text is not an amount of memory.

    >>> bytes_of("4GB"), bytes_of("512 MiB")
    (4000000000, 536870912)
    """
    amount = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([MG]i?B)", text.strip(), re.IGNORECASE)
    if amount is None:
        raise ValueError(f"got {text!r} as an amount of memory, expected a number of MB or GB; write 4GB, for example")
    return int(float(amount[1]) * _UNITS[amount[2].upper()])


def takes_options(*names: str) -> Callable[[Function], Function]:
    """Give a function with `**options` a signature and a docstring that list the options.

    Each option is therefore defined only once, as a field of `SegmentOptions`. The price is that type checkers see
    `**options: Any` instead of keywords. A wrong keyword, type or value is rejected only at run time, with a message
    that names the keyword.

    In the signature, the options come after the required keywords. In the docstring, the options replace the line that
    begins with "options: ". A call with any other keyword raises a TypeError.

    Args:
        names: names of the `SegmentOptions` fields to include; by default, all fields.
    """
    options = [option for option in dataclasses.fields(SegmentOptions) if not names or option.name in names]

    def decorate(function: Function) -> Function:
        own = inspect.signature(function)
        ends = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
        first = [parameter for parameter in own.parameters.values() if parameter.kind not in ends]
        keywords = [parameter for parameter in own.parameters.values() if parameter.kind is ends[0]]
        derived = [
            inspect.Parameter(option.name, ends[0], default=option.default, annotation=option.type)
            for option in options
        ]
        required = [parameter for parameter in keywords if parameter.default is parameter.empty]
        optional = [parameter for parameter in keywords if parameter.default is not parameter.empty]
        signature = own.replace(parameters=[*first, *required, *derived, *optional])

        @wraps(function)
        def checked(*arguments: Any, **keywords: Any) -> Any:
            try:
                signature.bind(*arguments, **keywords)
            except TypeError as error:
                raise TypeError(f"{function.__name__}() {error}") from None
            return function(*arguments, **keywords)

        checked.__signature__ = signature  # type: ignore[attr-defined]
        checked.__doc__ = _with_options(function.__doc__, options)
        return checked  # type: ignore[return-value]

    return decorate


def _with_options(docstring: str | None, options: list[dataclasses.Field[Any]]) -> str | None:
    if docstring is None:  # python -OO
        return None
    match = re.search("^( *)options: .*$", docstring, re.MULTILINE)
    if match is None:
        raise ValueError("the docstring has no line 'options: ...'; add one where the options belong")
    indent = match[1]
    texts = [
        textwrap.fill(
            f"{option.name}: {option.metadata['text']}",
            width=120,
            initial_indent=indent,
            subsequent_indent=f"{indent}    ",
            break_on_hyphens=False,
        )
        for option in options
    ]
    return docstring[: match.start()] + "\n".join(texts) + docstring[match.end() :]


@cache
def _types() -> dict[str, Any]:
    return get_type_hints(SegmentOptions)


def _converted(value: Any, kind: Any) -> Any:
    """Convert a value to a type, such as 30 to 30.0 for float.

    Raises:
        TypeError: the value does not fit the type.
    """
    if get_origin(kind) in (Union, UnionType):
        for member in get_args(kind):
            with suppress(TypeError):
                return _converted(value, member)
        raise TypeError
    if get_origin(kind) is tuple:
        kinds = get_args(kind)
        if not isinstance(value, list | tuple) or (kinds[-1] is not Ellipsis and len(kinds) != len(value)):
            raise TypeError
        return tuple(_converted(element, kinds[0]) for element in value)
    if kind is str and isinstance(value, os.PathLike):
        return os.fspath(value)
    wanted = {float: numbers.Real, int: numbers.Integral}.get(kind, kind)
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        raise TypeError
    if kind is int and abs(value) >= 2**63:
        raise OverflowError
    return kind(value) if kind in (float, int) else value


def _check_limits(option: dataclasses.Field[Any], value: Any) -> None:
    least, above = option.metadata["least"], option.metadata["above"]
    if value is None or isinstance(value, str) or (least is None and above is None):
        return
    for number in value if isinstance(value, tuple) else (value,):
        if math.isfinite(number) and (number >= least if above is None else number > above):
            continue
        expected = f"of at least {least}" if above is None else f"above {above}"
        raise ValueError(f"got {option.name}={value}, expected a finite number {expected}; change or omit the value")
