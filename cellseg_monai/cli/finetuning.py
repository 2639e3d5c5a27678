"""The commands `cellseg finetune` and `cellseg learning_curve`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cellseg_monai.cli.loading import say_loading
from cellseg_monai.cli.outputs import check_apart, check_folder
from cellseg_monai.cli.printing import print_line
from cellseg_monai.cli.used_bundle import used_bundle

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["finetune", "learning_curve"]


def finetune(
    directory: str,
    *,
    output: str,
    bundle: str = "nuclei",
    checkpoint: str | None = None,
    datalist: str | None = None,
    epochs: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    **knobs: object,
) -> None:
    """Adapt a bundle to annotated images of your own, and write the result as a new bundle; 3 to 50 images are enough.

    Training starts from the bundle's weights. A fifth of the images decide which epoch is the best and when to stop,
    unless there are fewer than six, which are all trained on. To continue after an interruption, run the same command
    again.

    Args:
        directory: folder with images/ and labels/ (label images with one id per object).
        output: folder of the new bundle, which `cellseg segment --bundle` accepts; its name becomes that of the bundle.
        bundle: name of a bundle that ships with this package; or path of a bundle's folder or zip, such as ./mine.
        checkpoint: weights file to start from, if not the weights shipped with the bundle.
        datalist: file that divides the data set into sections, if not its datalist.json; images for testing are unused.
        epochs: number of epochs; by default 20, or 10 without validation images.
        minutes: time for training, instead of epochs; two trial epochs measure how many epochs fit into that time.
        seed: random seed for the division of the images and for training.
        knobs: overrides of the bundle's train.json, such as --batch_size 4 --frozen_epochs 0 --encoder_rate 1.
    """
    _check(directory, output)
    used_bundle(bundle)
    say_loading()
    from cellseg_monai.finetuning import finetune as run

    made = run(
        directory,
        output_dir=output,
        bundle=bundle,
        checkpoint=checkpoint,
        datalist=datalist,
        epochs=epochs,
        minutes=minutes,
        seed=seed,
        knobs=knobs,
    )
    if made.validation:
        print_line(
            f"{output}: trained on {made.training} images; {made.score_name} {made.score:.3f} on {made.validation} "
            f"validation image(s) after epoch {made.best_epoch}, the best of {made.epochs}"
        )
    else:
        print_line(
            f"{output}: trained on {made.training} image(s) for {made.epochs} epochs; too few images to set some aside "
            "for validation, so the last network was kept, and no score is known"
        )
    print_line(f"to use it: cellseg segment IMAGES --bundle {_as_path(output)} --output RESULTS")


def learning_curve(
    directory: str,
    *,
    output: str,
    bundle: str = "nuclei",
    checkpoint: str | None = None,
    sizes: Sequence[int] | None = None,
    datalist: str | None = None,
    epochs: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    **knobs: object,
) -> None:
    """Show how many annotated images are worth having: fine-tune on 5, 10, 20, ... of them, and score each result.

    All results are scored on the same images, which none of them was trained on. Every result is a bundle of its own.
    To continue after an interruption, run the same command again.

    Args:
        directory: folder with images/ and labels/ (label images with one id per object).
        output: folder for learning_curve.html, .svg, .csv and .json, and for one bundle per number of images.
        bundle: name of a bundle that ships with this package; or path of a bundle's folder or zip, such as ./mine.
        checkpoint: weights file to start from, if not the weights shipped with the bundle.
        sizes: numbers of images, such as "[5,10,20]"; by default 5, 10, 20 and so on, and all images.
        datalist: file that divides the data set into sections, if not its datalist.json; images for testing are held
            out, or about 30 % if no list reserves any.
        epochs: number of epochs for each number of images.
        minutes: time for each training, instead of epochs.
        seed: random seed for the choice of images and for training.
        knobs: overrides of the bundle's train.json, such as --batch_size 4.
    """
    _check(directory, output)
    used_bundle(bundle)
    say_loading()
    from cellseg_monai.finetuning import learning_curve as run

    curve = run(
        directory,
        output_dir=output,
        bundle=bundle,
        checkpoint=checkpoint,
        sizes=sizes,
        datalist=datalist,
        epochs=epochs,
        minutes=minutes,
        seed=seed,
        knobs=knobs,
    )
    for point in curve.points:
        number = f"{point.images} image(s)" if point.images else "without fine-tuning"
        print_line(f"{number}: {point.described(curve.score_words)}")
    print_line(curve.answer)
    print_line(Path(output) / "learning_curve.html")


def _check(directory: str, output: str) -> None:
    check_folder(output)
    check_apart(output, images=Path(directory) / "images", labels=Path(directory) / "labels")


def _as_path(output: str) -> str:
    """Return a path of a bundle in such a form that it is not mistaken for the name of a shipped one."""
    from cellseg_monai.bundle_name import is_bundle_path

    return output if is_bundle_path(output) else os.path.join(os.curdir, output)
