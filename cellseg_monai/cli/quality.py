"""The command `cellseg quality`, which shows what is unusual about a run, without ground truth."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from cellseg_monai.cli.faults import fail_if
from cellseg_monai.cli.outputs import check_page
from cellseg_monai.cli.printing import print_error, print_line
from cellseg_monai.segment_options import AUTO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellseg_monai.faults import Fault

__all__ = ["check_exports", "check_quality_page", "quality", "run_file", "write_quality"]


def quality(run: str, *, output: str | None = None, bundle: str | None = None, overlays: int = 16) -> None:
    """Write an HTML page about a run of `cellseg segment`: flagged images, and objects with the lowest scores.

    No ground truth is needed. Images are flagged if they are out of focus, saturated, empty, or unlike the other images
    or the training data. docs/quality.md explains the flags and how far to trust a score. The page is a single file
    and needs no network connection. If an image cannot be shown, its name is printed, and the exit code is 1.

    Args:
        run: the run.json next to the results; the results must include label images and CSV tables.
        output: page to write; by default report.html next to run.json. Its numbers are written to a JSON file next to
            it. An earlier page of that name is replaced.
        bundle: current path of the bundle, if it has moved since the run; the bundle describes its training data.
        overlays: number of images to show, lowest scores first.
    """
    check_quality_page(Path(output) if output else run_file(run).with_name("report.html"))
    fail_if(write_quality(run_file(run), output, bundle, overlays))


def run_file(named: str) -> Path:
    """Return the path of run.json, given either that path or the results folder."""
    from cellseg_monai.inference.run_record import NAME

    return Path(named) / NAME if Path(named).is_dir() else Path(named)


def check_quality_page(page: Path) -> None:
    """Refuse to replace anything but an earlier page about a run, with its numbers."""
    check_page(page, numbers="lowest_objects")


def write_quality(
    run: Path, output: str | None = None, bundle: str | None = None, overlays: int = 16
) -> Sequence[Fault]:
    """Write the page, print its path, and return a fault for each image that could not be shown."""
    from cellseg_monai.bundle import find_training_data, is_shipped
    from cellseg_monai.errors import BundleError
    from cellseg_monai.inference.run_record import read_run
    from cellseg_monai.report import write_quality_report

    record = read_run(run)
    named = bundle or record["arguments"].get("bundle", "")
    names = [name for name in record["about"].get("bundles", ()) if is_shipped(name)] if named == AUTO else [named]
    training, missing = [], ""
    if bundle is None and not is_shipped(named):
        missing = f"{named} does not ship with this package; if it is yours, pass --bundle {shlex.quote(named)}"
    else:
        try:
            training = [description for name in names if (description := find_training_data(name)) is not None]
        except BundleError as error:
            if bundle is not None:
                raise
            missing = str(error)
    if missing:
        print_error(f"note: the images cannot be compared with the training data: {missing}")
    written = write_quality_report(run, output, training=training, overlays=overlays)
    print_line(f"{written.flagged} image(s) flagged: {written.page}")
    return written.faults


def check_exports(exports: Sequence[str]) -> None:
    """Check, before anything is segmented, that the exports include what the page needs.

    Raises:
        ValueError: the exports lack label images or the CSV table.
    """
    from cellseg_monai.report.segmented_plane import LABEL_EXPORTS

    if "csv" not in exports or not set(LABEL_EXPORTS) & set(exports):
        raise ValueError(
            f"got --export {','.join(exports)} with --report, which needs label images and tables; add labels and csv, "
            "as in --export labels,csv"
        )
