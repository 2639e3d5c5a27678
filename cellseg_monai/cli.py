"""The `cellseg` command: python-fire over an explicit table of commands.

Heavy imports stand inside the commands, so that `cellseg --help` is instant.
"""

from __future__ import annotations

import difflib
import inspect
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fire

from cellseg_monai.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellseg_monai.data import Fault
    from cellseg_monai.data.sample import Modality

__all__ = ["main"]


def bundle_build(*bundles: str, check: bool = False) -> None:
    """Write the generated configs of bundles from their recipe and bundle.json.

    Args:
        bundles: folders of bundles; all in bundles/ when none is named.
        check: write nothing; list what differs from what would be written, and fail if anything does.
    """
    from cellseg_monai.atomic import replacing
    from cellseg_monai.bundle import build_bundle, drifted_files, find_bundles

    folders = [Path(bundle) for bundle in bundles] or find_bundles()
    drifted = [path for folder in folders for path in drifted_files(folder)]
    if check:
        for path in drifted:
            print(f"{path}: differs from its recipe; write it with `cellseg bundle build`")
        if drifted:
            raise SystemExit(1)
        print(f"{len(folders)} bundle(s) as their recipes say")
        return
    for folder in folders:
        content = build_bundle(folder)
        for name, text in content.items():
            with replacing(folder / name) as aside:
                aside.write_text(text, encoding="utf-8")
        for path in {path for path in drifted if path.is_relative_to(folder)} - {folder / name for name in content}:
            print(f"{path}: no recipe writes it; delete it")
    print(f"{len(drifted)} file(s) changed in {len(folders)} bundle(s)")


def bundle_check(bundle: str, **overrides: object) -> None:
    """Check a bundle without running it: drift, references, targets, metadata, settings and overrides.

    Args:
        bundle: its folder.
        overrides: such as --epochs 3: is it something that one of the configs has?
    """
    from cellseg_monai.bundle import bundle_faults

    faults = bundle_faults(bundle, overrides)
    for fault in faults:
        print(fault)
    if faults:
        raise SystemExit(f"{len(faults)} fault(s) in {bundle}")
    print(f"{bundle}: no faults")


def data_sample(directory: str, seed: int = 0, modality: Modality = "nuclei") -> None:
    """Write the sample data set: generated images with exact labels, split into training, validation and test.

    Args:
        directory: a folder that does not exist yet, or an empty one.
        seed: another seed gives other images.
        modality: nuclei (fluorescence), phase (whole cells in phase contrast and bright field), or both.
    """
    from cellseg_monai.data import write_sample_dataset

    print(write_sample_dataset(directory, seed=seed, modality=modality))


def data_check(directory: str, datalist: str | None = None, axes: str | None = None) -> None:
    """Report all faults of a data set at once, each with its place; fails if there is an error among them.

    Args:
        directory: the folder with images/ and labels/.
        datalist: its splits, if not datalist.json in that folder.
        axes: the axes of the image files, such as YXS (S: red, green, blue), where the files do not state them.
    """
    from cellseg_monai.data import check_dataset, format_faults

    faults = check_dataset(directory, datalist, axes)
    print(format_faults(faults))
    if any(fault.severity == "error" for fault in faults):
        raise SystemExit(1)


def data_show(directory: str, output: str | None = None, axes: str | None = None) -> None:
    """Print what a data set holds: sizes, intensities, objects, how many of them touch.

    Fails if a file cannot be read or does not fit its partner; the others are still shown.

    Args:
        directory: the folder with images/ and labels/.
        output: a file for the same with distributions and examples: .html for a page, .png for the figure alone.
        axes: the axes of the image files, such as YXS (S: red, green, blue), where the files do not state them.
    """
    from cellseg_monai.data.page import write_dataset_page
    from cellseg_monai.data.show import draw_dataset
    from cellseg_monai.data.statistics import dataset_statistics

    suffix = None if output is None else Path(output).suffix
    if suffix not in (None, ".html", ".png"):
        raise ValueError(f"--output {output} came, but a file named .html or .png was expected; rename it")
    statistics = dataset_statistics(directory, axes, progress=sys.stderr.isatty())
    rows = statistics.rows()
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:<{width}}  {value}")
    if output is not None:
        write = write_dataset_page if suffix == ".html" else draw_dataset
        write(Path(output), statistics, axes=axes)
        print(output)
    _fail_if(statistics.faults)


def data_split(
    directory: str,
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
    from cellseg_monai.data.preparing import prepare
    from cellseg_monai.data.preparing.source import find_raw_data

    raw = find_raw_data(str(source), progress=True)
    if raw.terms:
        print(raw.terms)
    try:
        done = prepare(
            raw.folder, str(output), layout=layout or raw.layout, workers=workers, source_file=raw.source_file
        )
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        raise SystemExit(130) from None
    print(f"{done.output}: {done.images} images ({done.written} written now), {done.objects} objects; {done.layout}")
    if done.sections:
        print(f"sections: {done.sections}")
    for name, count in done.notes.items():
        print(f"{name.replace('_', ' ')}: {count}")
    for fault in done.faults:
        if fault.severity == "warning":
            print(fault)
    _fail_if([fault for fault in done.faults if fault.severity == "error"])


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
    from cellseg_monai.data.selecting import select

    if Path(output).exists() and not overwrite:
        raise FileExistsError(f"{output}: already there; keep it, or pass --overwrite to replace it")
    done = select(str(directory), str(selection), str(output), datalist=datalist, settings=settings)
    counts = ", ".join(f"{count} {section}" for section, count in done.counts.items())
    print(f"{done.datalist}: {counts}; {len(done.dropped)} dropped, {done.manifest} says why")


def data_list() -> None:
    """List the public data sets that `cellseg data fetch` knows, with sizes and licences."""
    from cellseg_monai.data.registry import format_registry, load_registry

    print(format_registry(load_registry()))


def data_fetch(
    name: str,
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
    from cellseg_monai.data.fetching import Limits, describe, fetch_data_set
    from cellseg_monai.data.registry import find_data_set

    data_set = find_data_set(str(name))
    print(describe(data_set))
    done = fetch_data_set(
        data_set,
        None if output is None else str(output),
        url=None if url is None else str(url),
        limits=Limits(max_gigabytes, max_files, max_ratio),
        accept_changed=accept_changed,
        progress=True,
    )
    for file in done.files:
        if not file.known:
            print(f"{file.name}: no checksum was known; recorded in {done.folder / 'sha256.txt'}: {file.sha256}")
    print(f"{done.folder}: {'fetched' if done.files else 'already fetched'}; its terms are in SOURCE.md")


def compare(
    dataset: str,
    *,
    bundles: str | Sequence[str],
    output: str,
    epochs: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    datalist: str | None = None,
    **knobs: object,
) -> None:
    """Train bundles alike on one data set, evaluate them on the same test images, write tables and figures.

    Epoch and threshold of each are chosen on validation. Called again, it goes on where it was stopped.

    Args:
        dataset: the data set.
        bundles: what to compare, such as "unet,unet+two_classes,pspnet": bundles, each perhaps with variants.
        output: a folder for comparison.csv, comparison.md, the figures and a folder for each run.
        epochs: how many each is trained.
        minutes: or how long each is trained; a trial tells how many epochs that is.
        seed: of every training.
        datalist: the sections of the data set, if not datalist.json in it.
        knobs: any override of train.json, for every training, such as --batch_size 4 --roi_size "[128,128]".
    """
    from cellseg_monai.report import compare as compare_runs

    done = compare_runs(
        dataset,
        bundles,
        output_dir=output,
        epochs=epochs,
        minutes=minutes,
        seed=seed,
        datalist=datalist,
        knobs=knobs,
    )
    if done.results:
        print(f"{len(done.results)} run(s) compared: {done.output_dir / 'comparison.md'}")
    if done.failures:
        names = ", ".join(done.failures)
        raise SystemExit(f"{len(done.failures)} run(s) failed: {names}; called again, they go on where they failed")


def evaluate(
    *,
    truth: str,
    pred: str,
    protocol: str,
    output: str | None = None,
    truth_suffix: str = "",
    pred_suffix: str = "",
) -> None:
    """Score the label images of any program under a published protocol; docs/evaluation.md says what each means.

    Truths and predictions belong together by their names, less what programs add, such as _cp_masks or -labels. Files
    without a partner and pairs that cannot be compared are named, the rest is evaluated, and the exit code is 1.

    Args:
        truth: the folder of true label images: tif, png, npy, _seg.npy.
        pred: the folder of predicted ones.
        protocol: caicedo2019, bbbc039_mean_f1, dsb2018, neurips22, stardist, cellpose_ap, ctc_seg or coco.
        output: a folder for a row an image (CSV), a summary with 95 % intervals (JSON) and F1 over IoU (PNG).
        truth_suffix: only truths whose name, without extension, ends so.
        pred_suffix: the same of predictions, such as _cp_masks where images lie beside them.
    """
    from cellseg_monai.evaluation import evaluate_folders, find_protocol, format_results, summary, write_results

    done = evaluate_folders(
        str(truth),
        str(pred),
        find_protocol(str(protocol)),
        truth_suffix=str(truth_suffix),
        prediction_suffix=str(pred_suffix),
    )
    print(format_results(summary(done)))
    if output is not None:
        for path in write_results(done, str(output)):
            print(path)
    _fail_if(done.faults)


def report(
    *,
    images: str,
    truth: str,
    pred: str,
    output: str,
    run: str | None = None,
    protocol: str = "bbbc039_mean_f1",
    overlays: int = 24,
    truth_suffix: str = "",
    pred_suffix: str = "",
) -> None:
    """Write one HTML page that shows how good label images are: scores, and every kind of mistake over the images.

    The page needs no network and nothing beside it. Images, truths and predictions belong together by their names, as
    for `cellseg evaluate`. What cannot be compared or shown is named, the rest is reported, and the exit code is 1.

    Args:
        images: the folder of the images.
        truth: the folder of true label images.
        pred: the folder of predicted ones.
        output: the page, such as report.html; its numbers lie beside it as JSON.
        run: the output_dir of a training, for its losses and the settings that calibration tried.
        protocol: how objects are compared, see `cellseg evaluate`.
        overlays: how many of the worst images are shown; three typical and three best ones come on top.
        truth_suffix: only truths whose name, without extension, ends so.
        pred_suffix: the same of predictions, such as _cp_masks where images lie beside them.
    """
    from cellseg_monai.evaluation import evaluate_folders, find_protocol, format_results, summary
    from cellseg_monai.report import write_report

    done = evaluate_folders(
        str(truth),
        str(pred),
        find_protocol(str(protocol)),
        truth_suffix=str(truth_suffix),
        prediction_suffix=str(pred_suffix),
    )
    written = write_report(done, str(images), str(output), run_dir=None if run is None else str(run), overlays=overlays)
    print(format_results(summary(done)))
    for note in written.notes:
        print(f"note: {note}")
    for path in (written.page, written.numbers):
        print(path)
    _fail_if(written.faults)


def _fail_if(faults: Sequence[Fault | str]) -> None:
    for fault in faults:
        print(f"error: {fault}", file=sys.stderr)
    if faults:
        raise SystemExit(1)


def calibrate(
    directory: str,
    *,
    output: str,
    bundle: str = "nuclei",
    checkpoint: str | None = None,
    section: str = "all",
    datalist: str | None = None,
) -> None:
    """Fit a bundle's post-processing to a few annotated images of your own; three to five do.

    The network sees each image once; then thresholds, smallest areas and the like are searched for the highest mean F1
    of objects. Writes output/postprocess.json, and all that was tried to output/calibration.

    Args:
        directory: the folder with images/ and labels/ (label images, one id per object).
        output: a folder for the results.
        bundle: its name or folder.
        checkpoint: the weights, if not those that the bundle ships.
        section: all annotated images but those that datalist.json or index.csv holds back for testing; or validation.
        datalist: the sections of the data set, if not datalist.json in it.
    """
    from cellseg_monai.bundle import find_bundle, run_bundle

    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    overrides = {"checkpoint": checkpoint, "datalist": datalist}
    run_bundle(
        find_bundle(bundle),
        "calibrate",
        dataset_dir=str(directory),
        output_dir=str(folder),
        calibrated=str(folder / "postprocess.json"),
        section=section,
        **{name: value for name, value in overrides.items() if value is not None},
    )
    print(f"use it with: --postprocess_file {folder / 'postprocess.json'}")


COMMANDS = {
    "bundle": {"build": bundle_build, "check": bundle_check},
    "calibrate": calibrate,
    "compare": compare,
    "data": {
        "check": data_check,
        "fetch": data_fetch,
        "list": data_list,
        "prepare": data_prepare,
        "sample": data_sample,
        "select": data_select,
        "show": data_show,
        "split": data_split,
    },
    "evaluate": evaluate,
    "report": report,
}


def _check_flags(words: Sequence[str]) -> None:
    """Refuse wrong and missing flags before anything is done; python-fire runs a command first and refuses then.

    Args:
        words: what follows `cellseg`.

    Raises:
        ValueError: a flag that the command does not know, with the nearest right one, or one that it needs is missing.
    """
    command: Any = COMMANDS
    path, words = [], list(words)
    while isinstance(command, dict) and words and words[0] in command:
        path.append(words.pop(0))
        command = command[path[-1]]
    if isinstance(command, dict) or {"--", "--help", "-h"} & set(words):
        return  # fire shows what there is
    parameters = inspect.signature(command).parameters
    flags = [match[1].replace("-", "_") for word in words if (match := re.match(r"--([A-Za-z][\w-]*)", word))]
    if not any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        for name in flags:
            if name in parameters or name.removeprefix("no") in parameters:
                continue
            nearest = difflib.get_close_matches(name, parameters, n=1)
            known = "it knows " + ", ".join(f"--{each}" for each in parameters)
            remedy = f"did you mean --{nearest[0]}?" if nearest else known
            raise ValueError(f"--{name} came, which `cellseg {' '.join(path)}` does not know; {remedy}")
    required = [each.name for each in parameters.values() if each.default is each.empty]
    needed = [f"--{name}" for name in required if parameters[name].kind is inspect.Parameter.KEYWORD_ONLY]
    missing = [flag for flag in needed if flag.removeprefix("--") not in flags]
    if missing and not any(re.match(r"-[A-Za-z]", word) for word in words):  # fire lets a letter stand for a flag
        raise ValueError(f"{', '.join(missing)} missing; `cellseg {' '.join(path)}` needs {', '.join(needed)}")


def main() -> None:
    """Run the command line; an error that the user can mend is one line, not a traceback."""
    os.environ.setdefault("PAGER", "cat")  # fire opens --help in a pager otherwise
    try:
        _check_flags(sys.argv[1:])
        fire.Fire(COMMANDS, name="cellseg")
    except (ValueError, CheckpointError, OSError) as error:
        # ValueError: our own errors, and arguments that a function refused; CELLSEG_DEBUG shows where it came from.
        if os.environ.get("CELLSEG_DEBUG"):
            raise
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
