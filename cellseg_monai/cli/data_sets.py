"""The commands about data sets."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cellseg_monai.cli.faults import fail_if

if TYPE_CHECKING:
    from cellseg_monai.data.sample import Modality

__all__ = [
    "data_check",
    "data_fetch",
    "data_list",
    "data_prepare",
    "data_sample",
    "data_select",
    "data_show",
    "data_split",
]


def data_sample(directory: str, *, seed: int = 0, modality: Modality = "nuclei") -> None:
    """Write the sample data set: generated images with exact labels, split into training, validation and test.

    Args:
        directory: a folder that does not exist yet, or an empty one.
        seed: another seed gives other images.
        modality: nuclei (fluorescence), phase (whole cells in phase contrast and bright field), or both.
    """
    from cellseg_monai.data import write_sample_dataset

    print(write_sample_dataset(directory, seed=seed, modality=modality))


def data_list() -> None:
    """List the public data sets that `cellseg data fetch` knows, with sizes and licences."""
    from cellseg_monai.datasets.registry import format_registry, load_registry

    print(format_registry(load_registry()))


def data_fetch(
    name: str,
    *,
    output: str | None = None,
    url: str | None = None,
    accept_changed: bool = False,
    max_gigabytes: float = 100,
    max_files: int = 500_000,
    max_ratio: float = 300,
) -> None:
    """Fetch a public data set in its native layout, with SOURCE.md (licence, attribution, citation) beside it.

    A download that broke off goes on where it was; a data set that is there is left alone.

    Args:
        name: as `cellseg data list` shows it, such as bbbc039 or ctc/DIC-C2DH-HeLa.
        output: the folder to fetch to; data/raw/NAME by default.
        url: another source: the address or path of its one file, or of a folder that holds its files by their names.
        accept_changed: take files whose size or checksum is not the known one.
        max_gigabytes: how much an archive may hold, unpacked.
        max_files: how many files it may hold.
        max_ratio: how many bytes it may hold for each byte of its own.
    """
    from cellseg_monai.archives import Limits
    from cellseg_monai.datasets.fetching import describe, fetch_data_set
    from cellseg_monai.datasets.registry import find_data_set

    data_set, limits = find_data_set(name), Limits(max_gigabytes, max_files, max_ratio)
    print(describe(data_set))
    with _going_on_later():
        done = fetch_data_set(data_set, output, url=url, limits=limits, accept_changed=accept_changed, progress=True)
    for file in done.files:
        if not file.known:
            print(f"{file.name}: no checksum was known; recorded in {done.folder / 'sha256.txt'}: {file.sha256}")
    print(f"{done.folder}: {'fetched' if done.files else 'already fetched'}; its terms are in SOURCE.md")


def data_prepare(source: str, *, output: str, layout: str | None = None, workers: int | None = None) -> None:
    """Write a data set in the layout that it is published in as images/, labels/ and datalist.json.

    Called again, it goes on where it was stopped, and does nothing if all is done. Files that cannot be prepared are
    named, the rest is prepared, and the exit code is 1. docs/preparing.md says what becomes of each layout.

    Args:
        source: the folder with the unpacked files; or a name of `cellseg data list`, which is fetched if need be.
        output: a new folder for the prepared data set.
        layout: cellseg_tiff, coco, mask_per_object, rgba_labels, binary_masks, ctc, colour_labels or images_only; found
            out where it is unmistakable.
        workers: processes; as many as there are processors by default.
    """
    from cellseg_monai.datasets.preparing import prepare
    from cellseg_monai.datasets.preparing.source import find_raw_data

    with _going_on_later():
        raw = find_raw_data(source, progress=True)
        if raw.terms:
            print(raw.terms)
        done = prepare(raw.folder, output, layout=layout or raw.layout, workers=workers, source_file=raw.source_file)
    print(f"{done.output}: {done.images} images ({done.written} written now), {done.objects} objects; {done.layout}")
    if done.sections:
        print(f"sections: {done.sections}")
    for name, count in done.notes.items():
        print(f"{name.replace('_', ' ')}: {count}")
    for fault in done.faults:
        if fault.severity == "warning":
            print(fault)
    fail_if([fault for fault in done.faults if fault.severity == "error"])


def data_check(directory: str, *, datalist: str | None = None, axes: str | None = None) -> None:
    """Report all faults of a data set at once, each with its place; fails if there is an error among them.

    Args:
        directory: the folder with images/ and labels/.
        datalist: its splits, if not datalist.json in that folder.
        axes: the axes of the image files, such as YXS (S: red, green, blue), where the files do not state them.
    """
    from cellseg_monai.data import check_dataset
    from cellseg_monai.faults import format_faults

    faults = check_dataset(directory, datalist, axes)
    print(format_faults(faults))
    if any(fault.severity == "error" for fault in faults):
        raise SystemExit(1)


def data_show(directory: str, *, output: str | None = None, axes: str | None = None) -> None:
    """Print what a data set holds: tags of images, sizes, intensities, objects, how many of them touch.

    Fails if a file cannot be read or does not fit its partner; the others are still shown.

    Args:
        directory: the folder with images/ and labels/.
        output: a file for the same with distributions and examples: .html for a page, .png for the figure alone.
        axes: the axes of the image files, such as YXS (S: red, green, blue), where the files do not state them.
    """
    from cellseg_monai.data.statistics import dataset_statistics
    from cellseg_monai.report import write_dataset

    if output is not None and Path(output).suffix not in (".html", ".png"):  # before the reading, not after it
        raise ValueError(f"--output {output} came, but a file named .html or .png was expected; rename it")
    statistics = dataset_statistics(directory, axes)
    rows = statistics.rows()
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")
    if output is not None:
        write_dataset(output, statistics, axes=axes)
        print(output)
    fail_if(statistics.faults)


def data_split(
    directory: str,
    *,
    output: str | None = None,
    seed: int = 0,
    validation: float | None = None,
    test: float | None = None,
    group_pattern: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write datalist.json: training, validation and test images, no group in two of them.

    Where index.csv says which images are for training and which are held out, that is kept.

    Args:
        directory: the folder with images/ and labels/.
        output: where to write; datalist.json in that folder by default.
        seed: another seed gives another split.
        validation: share of the images for validation; 0.15 by default.
        test: share of the images for testing; 0.15 by default.
        group_pattern: regular expression on the file's stem; its first group names the plate or sequence.
        overwrite: replace a file that is there.
    """
    from cellseg_monai.data import propose_datalist, write_datalist
    from cellseg_monai.data.datalist import DATALIST_NAME

    path = Path(output) if output else Path(directory) / DATALIST_NAME
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path}: already there, and another split may have been trained on; keep it, pass --overwrite to "
            "replace it, or --output to write elsewhere"
        )
    sections, source, warnings = propose_datalist(
        directory, seed=seed, validation=validation, test=test, group_pattern=group_pattern
    )
    write_datalist(path, sections)
    for warning in warnings:
        print(warning)
    if source == "index":
        print(f"{directory}: training and held-out images as index.csv says")
    print(f"{path}: " + ", ".join(f"{len(items)} {section}" for section, items in sections.items()))


def data_select(
    directory: str,
    *,
    selection: str,
    output: str,
    datalist: str | None = None,
    overwrite: bool = False,
    **settings: object,
) -> None:
    """Write a datalist of chosen images of a data set, and beside it a manifest with the reason for each dropped one.

    Args:
        directory: the data set.
        selection: grey_tiff, validation_20, few_shot, livecell_2_percent (4, 5, 25, 50), by_sequence, by_plate,
            by_well, or a JSON file of your own, see docs/preparing.md.
        output: the datalist, NAME.json, for --datalist of a training; the manifest is NAME.manifest.json.
        datalist: the sections to start from, if not those of the data set.
        overwrite: replace a file that is there.
        settings: those of the selection, such as --images 10 --seed 1.
    """
    from cellseg_monai.datasets.selecting import select

    if Path(output).exists() and not overwrite:
        raise FileExistsError(f"{output}: already there; keep it, or pass --overwrite to replace it")
    done = select(directory, selection, output, datalist=datalist, settings=settings)
    counts = ", ".join(f"{count} {section}" for section, count in done.counts.items())
    print(f"{done.datalist}: {counts}; {len(done.dropped)} dropped, {done.manifest} says why")


@contextmanager
def _going_on_later() -> Iterator[None]:
    """Interrupted within, say that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        raise SystemExit(130) from None
