"""The commands about bundles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cellseg_monai.cli.faults import check_folder
from cellseg_monai.segment_options import SegmentOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["bundle_build", "bundle_check", "calibrate", "compare"]


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


def calibrate(
    directory: str,
    *,
    output: str,
    bundle: str = SegmentOptions.bundle,
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

    check_folder(output)
    folder = Path(output)
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
    print(f"evaluation and inference of the bundle use it with: --postprocess_file {folder / 'postprocess.json'}")


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
    from cellseg_monai.comparison import compare as compare_runs

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
