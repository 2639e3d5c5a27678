"""The commands for bundles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cellseg_monai.cli.outputs import check_apart, check_folder, check_new
from cellseg_monai.segment_options import SegmentOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["bundle_build", "bundle_check", "calibrate", "compare"]


def bundle_build(*bundles: str, check: bool = False) -> None:
    """Write the generated configs of bundles from their recipe and bundle.json, and name each file that changes.

    Args:
        bundles: folders of bundles; by default all in bundles/.
        check: only list the files that differ from what would be written, and fail if there are any.
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
        print(f"{len(folders)} bundle(s) agree with their recipes")
        return
    for folder in folders:
        content = build_bundle(folder)
        for name, text in content.items():
            with replacing(folder / name) as aside:
                aside.write_text(text, encoding="utf-8")
            if folder / name in drifted:
                print(f"{folder / name}: written")
        for path in {path for path in drifted if path.is_relative_to(folder)} - {folder / name for name in content}:
            print(f"{path}: not written by any recipe; delete it")
    print(f"{len(drifted)} file(s) changed in {len(folders)} bundle(s)")


def bundle_check(bundle: str, **overrides: object) -> None:
    """Check a bundle without running it: drift, references, targets, metadata, settings and overrides.

    Args:
        bundle: folder of the bundle.
        overrides: overrides of the configs, such as --epochs 3; refused unless one of the configs has the key.
    """
    from cellseg_monai.bundle import bundle_faults

    faults = bundle_faults(bundle, overrides)
    for fault in faults:
        print(fault)
    if faults:
        raise SystemExit(f"{len(faults)} fault(s) in {bundle}")
    print(f"{bundle}: no faults")


def calibrate(
    directory: str,
    *,
    output: str,
    bundle: str = SegmentOptions.bundle,
    checkpoint: str | None = None,
    section: str = "all",
    datalist: str | None = None,
) -> None:
    """Fit a bundle's post-processing to a few annotated images of your own; three to five are enough.

    The network sees each image once. Then thresholds, smallest areas and similar settings are searched for the highest
    mean F1 of objects. The best are written to output/postprocess.json, all that were tried to output/calibration.

    Args:
        directory: the folder with images/ and labels/ (label images, one id per object).
        output: a folder for the results. Files of an earlier calibration are not replaced.
        bundle: name or folder of the bundle.
        checkpoint: file of the weights, if not those that the bundle ships.
        section: all, which is every annotated image except those that datalist.json or index.csv reserves for testing;
            or validation.
        datalist: file with the sections of the data set, if not its datalist.json.
    """
    from cellseg_monai.bundle import find_bundle, run_bundle

    check_folder(output)
    check_apart(output, images=Path(directory) / "images", labels=Path(directory) / "labels")
    folder = Path(output)
    check_new(folder / name for name in ("postprocess.json", "calibration/curve.csv", "calibration/calibration.json"))
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
    print(f"to use it in evaluation and inference of the bundle: --postprocess_file {folder / 'postprocess.json'}")


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
    """Train bundles in the same way on one data set, evaluate them on its test images, and write tables and figures.

    The epoch and threshold of each run are chosen on validation images. If the command is called again, the comparison
    continues where it was stopped.

    Args:
        dataset: the folder of the data set.
        bundles: bundles to compare, with their variants if any, such as "unet,unet+two_classes,pspnet".
        output: a folder for comparison.csv, comparison.md, the figures and a folder for each run.
        epochs: number of epochs of each training.
        minutes: duration of each training, instead of epochs; a trial measures how many epochs that is.
        seed: seed of every training.
        datalist: file with the sections of the data set, if not its datalist.json.
        knobs: overrides of train.json for all trainings, such as --batch_size 4 --roi_size "[128,128]".
    """
    from cellseg_monai.comparison import compare as compare_runs

    check_folder(output)
    check_apart(output, images=Path(dataset) / "images", labels=Path(dataset) / "labels")
    comparison = compare_runs(
        dataset,
        bundles,
        output_dir=output,
        epochs=epochs,
        minutes=minutes,
        seed=seed,
        datalist=datalist,
        knobs=knobs,
    )
    if comparison.results:
        print(f"{len(comparison.results)} run(s) compared: {comparison.output_dir / 'comparison.md'}")
    if comparison.failures:
        names = ", ".join(comparison.failures)
        raise SystemExit(
            f"{len(comparison.failures)} run(s) failed: {names}; call again to continue them where they failed"
        )
