"""The `cellseg data` commands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cellseg_monai.cli.faults import check_workers, fail_if
from cellseg_monai.cli.outputs import check_apart, check_new, check_page
from cellseg_monai.cli.printing import print_error, print_line, print_lines

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
    """Write a sample data set: generated images with exact labels, split into training, validation and test sections.

    Args:
        directory: new or empty folder.
        seed: random seed; a different seed gives different images.
        modality: nuclei (fluorescence), phase (whole cells in phase contrast and bright field), or both; or two kinds
            of cells with their classes: kinds (different shapes) or textures (the same shapes).
    """
    from cellseg_monai.data import write_sample_dataset

    print_line(write_sample_dataset(directory, seed=seed, modality=modality))


def data_list() -> None:
    """List the public data sets that `cellseg data fetch` can download, with sizes and licences."""
    from cellseg_monai.datasets.registry import format_registry, load_registry

    print_lines(format_registry(load_registry()))


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
    """Download a public data set in its original layout, and write its licence, attribution and citation to SOURCE.md.

    An interrupted download is resumed. A data set that has already been fetched is left unchanged.

    Args:
        name: name of the data set in `cellseg data list`, such as bbbc039 or ctc/DIC-C2DH-HeLa.
        output: folder for the files; by default data/raw/NAME.
        url: alternative source: URL or path of the file, or of a folder with all files under their original names.
        accept_changed: accept files whose size or checksum has changed.
        max_gigabytes: maximum unpacked size of an archive, in gigabytes.
        max_files: maximum number of files in an archive.
        max_ratio: maximum ratio of an archive's unpacked size to its packed size.
    """
    from cellseg_monai.archives import Limits
    from cellseg_monai.datasets.fetching import describe, fetch_data_set
    from cellseg_monai.datasets.registry import find_data_set

    data_set, limits = find_data_set(name), Limits(max_gigabytes, max_files, max_ratio)
    print_lines(describe(data_set))
    with _resumable():
        fetched = fetch_data_set(data_set, output, url=url, limits=limits, accept_changed=accept_changed, progress=True)
    for file in fetched.files:
        if not file.known:
            print_line(f"{file.name}: no known checksum; recorded in {fetched.folder / 'sha256.txt'}: {file.sha256}")
    print_line(
        f"{fetched.folder}: {'fetched' if fetched.files else 'already fetched'}; the terms of use are in SOURCE.md"
    )


def data_prepare(source: str, *, output: str, layout: str | None = None, workers: int | None = None) -> None:
    """Convert a data set from its published layout to images/, labels/ and datalist.json.

    To continue after an interruption, run the same command again; if everything is done, nothing happens. If a file
    cannot be prepared, its name is printed, the rest is prepared, and the exit code is 1. docs/preparing.md describes
    the layouts.

    Args:
        source: folder with the unpacked files; or a name from `cellseg data list`, to fetch that data set if necessary.
        output: new folder for the prepared data set.
        layout: cellseg_tiff, coco, mask_per_object, rgba_labels, binary_masks, ctc, colour_labels or images_only; by
            default, the layout is detected from the files if they are unambiguous.
        workers: number of processes; by default one per processor.
    """
    from cellseg_monai.datasets.preparing import prepare
    from cellseg_monai.datasets.preparing.source import find_raw_data

    check_workers(workers)
    with _resumable():
        raw = find_raw_data(source, progress=True)
        if raw.terms:
            print_lines(raw.terms)
        prepared = prepare(
            raw.folder, output, layout=layout or raw.layout, workers=workers, source_file=raw.source_file
        )
    images = f"{prepared.images} images ({prepared.written} written now)"
    print_line(f"{prepared.output}: {images}, {prepared.objects} objects; {prepared.layout}")
    if prepared.sections:
        print_line(f"sections: {prepared.sections}")
    for name, count in prepared.notes.items():
        print_line(f"{name.replace('_', ' ')}: {count}")
    for fault in prepared.faults:
        if fault.severity == "warning":
            print_line(fault)
    fail_if([fault for fault in prepared.faults if fault.severity == "error"])


def data_check(directory: str, *, datalist: str | None = None, axes: str | None = None) -> None:
    """Report every fault in a data set, with its place; the exit code is 1 if any fault is an error.

    Args:
        directory: folder with images/ and labels/.
        datalist: file that divides the data set into sections, if not its datalist.json.
        axes: axes of the images, such as YXS (S: red, green, blue), if the files do not state them.
    """
    from cellseg_monai.data import check_dataset
    from cellseg_monai.faults import format_faults

    faults = check_dataset(directory, datalist, axes)
    print_line(format_faults(faults))
    if any(fault.severity == "error" for fault in faults):
        raise SystemExit(1)


def data_show(directory: str, *, output: str | None = None, axes: str | None = None) -> None:
    """Print a summary of a data set: image tags, sizes, intensities, objects, and how many objects touch.

    If a file cannot be read or does not match its partner, its name is printed, the others are summarised, and the exit
    code is 1.

    Args:
        directory: folder with images/ and labels/.
        output: file for a summary with distributions and examples: .html for a page, which replaces an earlier one, or
            .png for the figure alone.
        axes: axes of the images, such as YXS (S: red, green, blue), if the files do not state them.
    """
    from cellseg_monai.data.statistics import dataset_statistics
    from cellseg_monai.report import write_dataset

    # Check the name first, because reading the images takes time.
    if output is not None and Path(output).suffix not in (".html", ".png"):
        raise ValueError(f"got --output {output}; choose a name that ends in .html or .png")
    if output is not None:
        check_apart(output, images=Path(directory) / "images", labels=Path(directory) / "labels")
        if Path(output).suffix == ".html":
            check_page(Path(output))
        else:
            check_new([Path(output)])
    statistics = dataset_statistics(directory, axes)
    rows = statistics.rows()
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print_line(f"{name:<{width}}  {value}")
    if output is not None:
        write_dataset(output, statistics, axes=axes)
        print_line(output)
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
    """Split a data set into training, validation and test images, keeping groups together, and write datalist.json.

    If index.csv states which images are for training and which are held out, the split respects it.

    Args:
        directory: folder with images/ and labels/.
        output: file to write; by default datalist.json in the data set folder.
        seed: random seed; a different seed gives a different split.
        validation: share of the images for validation; by default 0.15.
        test: share of the images for testing; by default 0.15.
        group_pattern: regular expression that is applied to file stems; its first group names the plate or sequence.
        overwrite: replace an existing file.
    """
    from cellseg_monai.data import propose_datalist, write_datalist
    from cellseg_monai.data.datalist import DATALIST_NAME

    path = Path(output) if output else Path(directory) / DATALIST_NAME
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"{path} already exists, and networks may have been trained on this split; pass --overwrite to replace it, "
            "or use --output to choose another file"
        )
    sections, source, warnings = propose_datalist(
        directory, seed=seed, validation=validation, test=test, group_pattern=group_pattern
    )
    write_datalist(path, sections)
    for warning in warnings:
        print_line(warning)
    if source == "index":
        print_line(f"{directory}: the split into training and held-out images follows index.csv")
    print_line(f"{path}: " + ", ".join(f"{len(items)} {section}" for section, items in sections.items()))


def data_select(
    directory: str,
    *,
    selection: str,
    output: str,
    datalist: str | None = None,
    overwrite: bool = False,
    **settings: object,
) -> None:
    """Write a datalist of selected images in a data set, and a manifest that says why the others were dropped.

    Args:
        directory: data set folder.
        selection: grey_tiff, validation_20, few_shot, livecell_2_percent (4, 5, 25, 50), by_sequence, by_plate,
            by_well, or a JSON file of your own; see docs/preparing.md.
        output: datalist to write, NAME.json, which can be passed as --datalist when training; the manifest is
            NAME.manifest.json.
        datalist: file that divides the data set into sections before the selection, if not its datalist.json.
        overwrite: replace an existing file.
        settings: settings of the selection, such as --images 10 --seed 1.
    """
    from cellseg_monai.datasets.selecting import select

    for path in (Path(output), Path(output).with_suffix(".manifest.json")):
        if path.exists() and not overwrite:
            raise FileExistsError(f"{path} already exists; pass --overwrite to replace it, or choose another --output")
    selected = select(directory, selection, output, datalist=datalist, settings=settings)
    counts = ", ".join(f"{count} {section}" for section, count in selected.counts.items())
    print_line(
        f"{selected.datalist}: {counts}; {len(selected.dropped)} dropped, for the reasons in {selected.manifest}"
    )


@contextmanager
def _resumable() -> Iterator[None]:
    """Tell the user how to continue if the `with` block is interrupted with Ctrl+C."""
    try:
        yield
    except KeyboardInterrupt:
        print_error("stopped; run the same command again to continue")
        raise SystemExit(130) from None
