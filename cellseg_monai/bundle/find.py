"""Finding the folder of a bundle, its weights, and the settings that belong to them."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from cellseg_monai.bundle.command_line import command_line_options, file_list
from cellseg_monai.errors import BundleError, CheckpointError
from cellseg_monai.training.checkpoint_file import BEST, LAST, fitted_settings

__all__ = ["find_bundle_root", "find_checkpoint", "find_postprocess"]

logger = logging.getLogger(__name__)


def find_bundle_root(name: str) -> str:
    """Return the folder of a bundle.

    The first of these that holds the bundle: the folder of the running command's config file, `bundles/<name>`, and the
    working folder.

    Args:
        name: name of the bundle, as its `configs/metadata.json` states it.

    Raises:
        BundleError: none of these folders holds that bundle.
    """
    candidates = [Path("bundles") / name, Path(".")]
    config_files = file_list(command_line_options().get("config_file"))
    if config_files:
        # Absolute, because the path of a file in the working folder has no parents.
        candidates.insert(0, Path(config_files[0]).absolute().parent.parent)
    for folder in candidates:
        metadata = folder / "configs" / "metadata.json"
        if metadata.is_file() and json.loads(metadata.read_text(encoding="utf-8")).get("name") == name:
            return str(folder)
    looked = ", ".join(str(folder.absolute()) for folder in candidates)
    raise BundleError(f"no bundle {name!r} in {looked}; pass --bundle_root PATH, the folder with its configs/")


def find_checkpoint(output_dir: str, bundle_root: str) -> str:
    """Return the weights to use if none are named: those trained in `output_dir`, otherwise those the bundle ships.

    MONAI's `ckpt_export` names the weights with `--ckpt_file`; if the running command has that option, it is used.

    Args:
        output_dir: folder to which `train.json` writes.
        bundle_root: folder of the bundle, which ships weights if it has a `models/model.pt`.

    Raises:
        CheckpointError: there are no weights in either place.
    """
    named = command_line_options().get("ckpt_file")
    if named:
        return named
    trained, shipped = Path(output_dir) / BEST, Path(bundle_root) / "models" / BEST
    if trained.is_file() and shipped.is_file():
        logger.warning(f"{trained}, trained here, is used instead of {shipped}; choose with --checkpoint PATH")
    for path in (trained, shipped):
        if path.is_file():
            return str(path)
    if (Path(output_dir) / LAST).is_file():
        raise CheckpointError(
            f"no weights at {trained}: the run in {output_dir} was stopped before its first validation; continue it "
            f"with `--resume True`, or use what it has with `--checkpoint {Path(output_dir) / LAST}`"
        )
    raise CheckpointError(
        f"no weights at {trained} nor at {shipped}; train first "
        "(`python -m monai.bundle run training --config_file .../configs/train.json`), "
        "or name a checkpoint with `--checkpoint PATH`"
    )


def find_postprocess(checkpoint: str, bundle_root: str) -> str:
    """Return the file with the settings of post-processing for a checkpoint: fitted to it, or else the bundle's own.

    Fitted settings belong to one set of weights: `calibrate.json` writes them next to the checkpoint, and a training
    that replaces the checkpoint by a better epoch removes them.

    Args:
        checkpoint: path of the weights.
        bundle_root: folder of the bundle.
    """
    fitted = fitted_settings(checkpoint)
    settings = fitted if fitted.is_file() else Path(bundle_root) / "configs" / "postprocess.json"
    logger.info(f"post-processing settings: {settings}")
    return str(settings)
