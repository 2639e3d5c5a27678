"""The command `cellseg scout`, which tells what images show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cellseg_monai.cli.faults import fail_if
from cellseg_monai.cli.loading import say_loading
from cellseg_monai.cli.outputs import check_new
from cellseg_monai.cli.printing import print_error, print_line, print_lines
from cellseg_monai.one_line import one_line
from cellseg_monai.segment_options import SegmentOptions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cellseg_monai.inference import ImageFile
    from cellseg_monai.scouting import Look

__all__ = ["scout"]

_WIDTHS = (5, 32, 7)  # of the columns of `Look.cells` except the first and the last
_LONGEST_NAME = 60


def scout(
    *inputs: str,
    output: str | None = None,
    json: bool = False,
    channels: str | None = None,
    axes: str | None = None,
    pixel_size: float | None = None,
    checkpoint: str | None = None,
) -> None:
    """Tell what images show, how large their cells are, and which bundle suits each, without segmenting them.

    The table has a row for each image: what it shows and how sure that is; the typical diameter, with the range that
    contains it in 9 of 10 images; whether the cells are brighter or darker than the background; and the bundle and the
    scale at which `cellseg segment` would use it. Of a stack, the first, the middle and the last plane are looked at.
    If an image cannot be read, its name is printed at the end, and the exit code is 1.

    Args:
        inputs: images, folders of images, patterns in quotes such as "plates/**/*.tif", OME-Zarr, or - to read a list
            from standard input.
        output: table to write, NAME.csv or NAME.json, with more numbers than are printed. No file is replaced.
        json: print JSON instead of the table.
        channels: channel to look at: name or number, counted from 0. By default, the light of a grey or colour image.
        axes: axes of the images, such as ZYX or YXS, if the files do not state them.
        pixel_size: pixel size of the images in µm, overriding the one in the files; diameters are also given in µm.
        checkpoint: file with the weights, if not those shipped with the bundle scout.
    """
    say_loading()
    from cellseg_monai.inference import find_images
    from cellseg_monai.pixels import channels_from_text
    from cellseg_monai.scouting import json_of_looks, write_looks

    named = None if channels is None else tuple(channels_from_text(channels))
    options = SegmentOptions(bundle="scout", channels=named, axes=axes, pixel_size=pixel_size, checkpoint=checkpoint)
    if output is not None:
        _check_output(Path(output))
    images, faults = find_images(inputs)
    from cellseg_monai.bundle import load_scout

    load_scout(checkpoint)  # before anything is printed
    looks = []
    if not json:
        print_line(_row(_width(images), "image", _heads()))
    for seen in _looks(images, options, faults):
        looks.append(seen)
        if not json:
            print_line(_row(_width(images), _shortened(seen.image), seen.cells()))
    if json:
        print_lines(json_of_looks(looks))
    if output is not None:
        write_looks(Path(output), looks)
        print_error(f"{len(looks)} image(s): {output}")
    fail_if(faults)


def _looks(images: Sequence[ImageFile], options: SegmentOptions, faults: list[str]) -> Iterator[Look]:
    """Yield what is seen in each image; the reasons why others cannot be looked at are added to `faults`."""
    from cellseg_monai.errors import OF_AN_IMAGE
    from cellseg_monai.looking import look
    from cellseg_monai.one_line import message_of

    for image in images:
        try:
            yield look(
                image.path,
                channels=options.channels,
                axes=options.axes,
                pixel_size=options.pixel_size,
                checkpoint=options.checkpoint,
            )
        except OF_AN_IMAGE as error:
            reason = message_of(error)
            faults.append(reason if str(image.path) in reason else f"{image.path}: {reason}")


def _check_output(path: Path) -> None:
    if path.suffix.lower() not in (".csv", ".json"):
        raise ValueError(f"got --output {path}, expected a name that ends with .csv or .json; change the name")
    check_new([path])


def _heads() -> tuple[str, ...]:
    from cellseg_monai.scouting.look import HEADS

    return HEADS


def _width(images: Sequence[ImageFile]) -> int:
    return max([len("image"), *(len(_shortened(str(image.path))) for image in images)])


def _shortened(name: str) -> str:
    shown = one_line(name)
    return shown if len(shown) <= _LONGEST_NAME else f"…{shown[1 - _LONGEST_NAME :]}"


def _row(width: int, name: str, cells: Sequence[str]) -> str:
    from cellseg_monai.scouting import KINDS

    widths = (max(len(kind.text) for kind in KINDS.values()), *_WIDTHS)
    padded = [cell.ljust(length) for cell, length in zip(cells, widths, strict=False)]
    return "  ".join([name.ljust(width), *padded, *cells[len(widths) :]]).rstrip()
