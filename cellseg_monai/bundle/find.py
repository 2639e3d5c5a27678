"""Finding a bundle folder, its output, its weights, and the post-processing settings that belong to the weights."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from cellseg_monai.bundle.command_line import command_line_options, config_files
from cellseg_monai.bundle.origin import is_installed
from cellseg_monai.errors import BundleError, CheckpointError
from cellseg_monai.settings import read_mapping
from cellseg_monai.training.checkpoint_file import BEST, LAST, fitted_settings

__all__ = ["find_bundle_root", "find_checkpoint", "find_output", "find_postprocess"]

logger = logging.getLogger(__name__)


def find_bundle_root(name: str) -> str:
    """Return the bundle folder for a name.

    If the running command names config files, this is the bundle that one of them belongs to. Otherwise, it is
    `bundles/<name>` or the working directory, whichever contains the bundle.

    Args:
        name: name of the bundle, as given in its `configs/metadata.json`.

    Raises:
        BundleError: none of these folders contains the bundle.
    """
    # The relative path of a file in the working directory has no parents, so make it absolute.
    named = [Path(file).absolute().parent.parent for file in config_files()]
    candidates = list(dict.fromkeys(named)) or [Path("bundles") / name, Path(".")]
    for folder in candidates:
        metadata = folder / "configs" / "metadata.json"
        if metadata.is_file() and read_mapping(metadata).get("name") == name:
            return str(folder)
    looked = ", ".join(str(folder.absolute()) for folder in candidates)
    raise BundleError(f"no bundle named {name!r} in {looked}; pass the folder with configs/ as --bundle_root PATH")


def find_output(bundle_root: str) -> str:
    """Return the default of `output_dir`: the folder for everything that a bundle's workflows write.

    This is `output` in the bundle folder. Nothing is written among installed packages, so for a bundle that a wheel
    brought, it is `runs/<name of the bundle>` in the working directory.

    Args:
        bundle_root: the bundle folder.
    """
    root = Path(bundle_root)
    if not is_installed(root):
        return f"{bundle_root}/output"
    output = os.path.join("runs", root.resolve().name)
    logger.info(f"output_dir: {os.path.abspath(output)}, because {root} was installed with this package")
    return output


def find_checkpoint(output_dir: str, bundle_root: str) -> str:
    """Return the path of the default weights: those trained in `output_dir` if any, else those shipped with the bundle.

    The option `--ckpt_file`, which MONAI's `ckpt_export` uses to name the weights, takes precedence over both.

    Args:
        output_dir: output folder of `train.json`.
        bundle_root: the bundle folder. A bundle with weights has a `models/model.pt`.

    Raises:
        CheckpointError: neither folder has weights.
    """
    named = command_line_options().get("ckpt_file")
    if named:
        return named
    trained, shipped = Path(output_dir) / BEST, Path(bundle_root) / "models" / BEST
    if trained.is_file() and shipped.is_file():
        logger.warning(f"using the weights {trained} rather than {shipped}; to choose, pass --checkpoint PATH")
    for path in (trained, shipped):
        if path.is_file():
            return str(path)
    if (Path(output_dir) / LAST).is_file():
        raise CheckpointError(
            f"no weights at {trained}: the run in {output_dir} stopped before its first validation; continue the run "
            f"with `--resume True`, or use its latest weights with `--checkpoint {Path(output_dir) / LAST}`"
        )
    raise CheckpointError(
        f"no weights at {trained} or {shipped}; train the bundle first "
        "(`python -m monai.bundle run training --config_file .../configs/train.json`), "
        "or pass a checkpoint with `--checkpoint PATH`"
    )


def find_postprocess(checkpoint: str, bundle_root: str) -> str:
    """Return the file with the post-processing settings for a checkpoint.

    This is the file fitted to the checkpoint, if there is one, and otherwise the bundle's `configs/postprocess.json`.
    `calibrate.json` writes the fitted settings next to the checkpoint. Training deletes them when a better epoch
    replaces the weights.

    Args:
        checkpoint: path of the weights.
        bundle_root: the bundle folder.
    """
    fitted = fitted_settings(checkpoint)
    settings = fitted if fitted.is_file() else Path(bundle_root) / "configs" / "postprocess.json"
    logger.info(f"post-processing settings: {settings}")
    return str(settings)
