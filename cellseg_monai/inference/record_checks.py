"""Checks of a run's record before anything is done with it, because anybody may have written it.

A record names files: the images, which are only read, and the results, which a resumed run may replace or remove. The
results must therefore have the names that the run itself would give them, and lie in its output folder.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from cellseg_monai.exports import EXPORTS
from cellseg_monai.inference.choices import check_choice
from cellseg_monai.io import image_stem

__all__ = ["check_record"]

_MOST_PLANES = 10**6


def check_record(run: Mapping[str, Any], entries: Sequence[Any], output: Path) -> None:
    """Check the types and names in a record.

    Args:
        run: entries for the run as a whole, from `run.json` or the first line of the journal.
        entries: entries for the finished images.
        output: folder of the results.

    Raises:
        ValueError: an entry has the wrong type, a key or a result lies outside the output folder, a result has a name
            that the run would not give it, or an image occurs twice.
    """
    about = _typed(run, "about", dict, "the record")
    exports = _check_about(about)
    _check_arguments(run)
    for reason in _optional(run, "failures", list, "the record"):
        _expect(isinstance(reason, str), f"failures holds {reason!r}, expected text")
    begun, left = _optional(run, "begun", list, "the record"), _optional(run, "left", dict, "the record")
    for key in begun:
        _check_key(key)
    for key, results in left.items():
        _check_results(key, results, exports)
    keys = []
    for entry in entries:
        _expect(isinstance(entry, dict), f"an image is {entry!r}, expected an object")
        _check_image(entry)
        _check_results(entry["key"], entry.get("files"), exports)
        keys.append(entry["key"])
    _expect("begun" in run or len(set(keys)) == len(keys), "an image occurs twice")
    place = os.path.realpath(output)  # unlike Path.resolve, does not fail on circular links
    for folder in {PurePosixPath(key).parent for key in (*begun, *left, *keys)}:
        _expect(
            Path(os.path.realpath(output / folder)).is_relative_to(place),
            f"{output / folder} is a link that leads elsewhere",
        )


def _check_about(about: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the exports of the run; all, if an older version did not record them."""
    exports = about.get("exports", list(EXPORTS))
    known = isinstance(exports, list) and all(isinstance(name, str) and name in EXPORTS for name in exports)
    _expect(known, f"about.exports is {exports!r}, expected a list of {', '.join(EXPORTS)}")
    bundle = _optional(about, "bundle", dict, "about")
    for name in ("name", "version", "weights_sha256", "code_sha256"):
        _expect(isinstance(bundle.get(name, ""), str), f"about.bundle.{name} is {bundle.get(name)!r}, expected text")
    _optional(about, "preprocess", dict, "about")
    for name, own in _optional(about, "bundles", dict, "about").items():
        _expect(isinstance(own, dict), f"about.bundles.{name} is {own!r}, expected an object")
        _optional(own, "preprocess", dict, f"about.bundles.{name}")
        _optional(own, "bundle", dict, f"about.bundles.{name}")
    for name in ("device", "axes"):
        text = about.get(name)
        _expect(text is None or isinstance(text, str), f"about.{name} is {text!r}, expected text")
    size = about.get("pixel_size_um")
    numbers = isinstance(size, list) and len(size) == 2 and all(_is_number(side) and side > 0 for side in size)
    _expect(size is None or numbers, f"about.pixel_size_um is {size!r}, expected two lengths above 0")
    return tuple(exports)


def _check_arguments(run: Mapping[str, Any]) -> None:
    arguments = _optional(run, "arguments", dict, "the record")
    for name in _optional(arguments, "inputs", list, "arguments"):
        _expect(isinstance(name, str), f"arguments.inputs holds {name!r}, expected text")
    bundle = arguments.get("bundle", "")
    _expect(isinstance(bundle, str), f"arguments.bundle is {bundle!r}, expected text")


def _check_image(entry: Mapping[str, Any]) -> None:
    key, path, axes = (_typed(entry, name, str, "an image") for name in ("key", "path", "axes"))
    _typed(entry, "sha256", str, "an image")
    _expect("\0" not in path, f"an image has the path {path!r}")
    _expect(
        image_stem(path) == PurePosixPath(key).name,
        f"the results of {path} have the key {key!r}, expected one that ends with {image_stem(path)!r}",
    )
    shape = _typed(entry, "shape", list, "an image")
    whole = all(isinstance(length, int) and not isinstance(length, bool) and length > 0 for length in shape)
    stated = re.fullmatch("[TPZ]{0,3}CYX", axes) and len(set(axes)) == len(axes) == len(shape)
    _expect(
        bool(whole and stated and math.prod(shape[:-3]) <= _MOST_PLANES),
        f"{path} has the axes {axes!r} and the shape {shape!r}, expected a length for each of T, P, Z, C, Y and X",
    )
    _check_choices(entry, math.prod(shape[:-3]), path)
    for name in ("objects", "seconds"):
        number = entry.get(name, 0)
        _expect(_is_number(number), f"{name} of {path} is {number!r}, expected a number")


def _check_choices(entry: Mapping[str, Any], planes: int, path: str) -> None:
    choices = _optional(entry, "choices", list, path)
    _expect(len(choices) in (0, planes), f"{path} has {len(choices)} choices, expected one for each of {planes} planes")
    for choice in choices:
        check_choice(choice)


def _check_results(key: Any, files: Any, exports: Sequence[str]) -> None:
    """Check the result files of an image, each with its SHA-256."""
    _check_key(key)
    _expect(isinstance(files, dict), f"files of {key!r} is {files!r}, expected an object")
    endings = _result_endings(tuple(exports))
    for name, digest in files.items():
        _expect(isinstance(digest, str), f"the SHA-256 of {name!r} is {digest!r}, expected text")
        own = name.startswith(key) and endings.fullmatch(name[len(key) :])
        _expect(bool(own), f"{name!r} is listed as a result of {key!r}, which has no result of this name")


@lru_cache
def _result_endings(exports: tuple[str, ...]) -> re.Pattern[str]:
    """Return a pattern for what follows the key in the name of a result: the place of a plane, and the suffix."""
    endings = []
    for name in exports:
        parted = [axis for axis in "TPZ" if axis not in EXPORTS[name].axes]  # a file for each place along these axes
        endings.append("".join(rf"(_{axis}\d{{3,}})?" for axis in parted) + re.escape(EXPORTS[name].suffix))
    return re.compile("|".join(endings))


def _check_key(key: Any) -> None:
    _expect(isinstance(key, str) and _is_inside(key), f"got the key {key!r}, expected a path within the output")


def _is_inside(key: str) -> bool:
    """Return True for a relative path that does not lead out of its folder on any system."""
    path, windows = PurePosixPath(key), PureWindowsPath(key)
    leads_out = ".." in path.parts or ".." in windows.parts or windows.root or path.is_absolute() or Path(key).drive
    return not leads_out and path.as_posix() == key and path.name != "" and "\0" not in key


def _typed(values: Mapping[str, Any], name: str, kind: type, where: str) -> Any:
    value = values.get(name)
    _expect(isinstance(value, kind), f"{name} of {where} is {value!r}, expected {_KINDS[kind]}")
    return value


_KINDS: dict[type, str] = {dict: "an object", list: "a list", str: "text"}


def _optional(values: Mapping[str, Any], name: str, kind: type, where: str) -> Any:
    return _typed(values, name, kind, where) if name in values else kind()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _expect(holds: bool, reason: str) -> None:
    if not holds:
        raise ValueError(reason[:500])
