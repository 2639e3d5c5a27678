"""The command `cellseg pretrain`."""

from __future__ import annotations

import shlex
from pathlib import Path

from cellseg_monai.bundle_name import is_bundle_path
from cellseg_monai.cli.loading import say_loading
from cellseg_monai.cli.outputs import check_apart, check_folder
from cellseg_monai.cli.printing import print_line
from cellseg_monai.cli.used_bundle import used_bundle

__all__ = ["pretrain"]


def pretrain(
    directory: str,
    *,
    output: str,
    bundle: str = "multihead_unet",
    contrast: float = 1.0,
    inpainting: float = 1.0,
    epochs: int | None = None,
    seed: int = 0,
    resume: bool = False,
    **knobs: object,
) -> None:
    """Train the encoder of a bundle on images without labels, so that fewer labels are needed afterwards.

    The encoder learns to recognise two views of the same crop, and to fill in hidden blocks. The result is the file
    encoder.safetensors, for the setting --encoder_weights of the bundle's training.

    Args:
        directory: folder of images, or of a data set, whose labels are not used. Images for testing that have labels
            are left out.
        output: folder for encoder.safetensors, metrics.csv, checkpoints and TensorBoard.
        bundle: name of a bundle that ships with this package and has an encoder from segmentation-models-pytorch; or
            path of a bundle's folder or zip, such as ./mine.
        contrast: weight of recognising views; 0 to leave it out.
        inpainting: weight of filling in hidden blocks; 0 to leave it out.
        epochs: number of epochs, if not that of the bundle.
        seed: random seed.
        resume: continue a run that was stopped.
        knobs: overrides of the bundle's pretrain.json, such as --batch_size 32 --roi_size "[96,96]".
    """
    from cellseg_monai.bundle import find_bundles

    check_folder(output)
    check_apart(output, images=Path(directory))
    root = used_bundle(bundle)
    if not (root / "configs" / "pretrain.json").is_file():
        able = [path.name for path in find_bundles() if (path / "configs" / "pretrain.json").is_file()]
        if is_bundle_path(bundle):
            raise ValueError(
                f"{bundle} has no configs/pretrain.json; build the bundle again with a network that has an "
                f"encoder_name, or use one of {', '.join(able)}"
            )
        raise ValueError(
            f"{bundle} has no encoder from segmentation-models-pytorch that could be trained without labels; use one "
            f"of {', '.join(able)}"
        )
    say_loading()
    from cellseg_monai.bundle import run_bundle
    from cellseg_monai.training import EncoderFile

    settings = {**knobs, **({} if epochs is None else {"epochs": epochs})}
    folders = {"dataset_dir": directory, "output_dir": output}
    tasks = {"contrast": contrast, "inpainting": inpainting, "seed": seed, "resume": resume}
    run_bundle(root, "pretrain", **folders, **tasks, **settings)
    file = Path(output) / EncoderFile.NAME
    print_line(f"{file}: the encoder of {bundle}")
    # What changes the network or its images must be the same in training.
    same = [word for name, value in knobs.items() if "#" in name for word in (f"--{name}", str(value))]
    words = ["--config_file", str(root / "configs" / "train.json"), "--encoder_weights", str(file), *same]
    print_line(f"to use it: python -m monai.bundle run training --dataset_dir LABELLED {shlex.join(words)}")
