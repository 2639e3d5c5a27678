"""Running a bundle's workflows from Python, with the same configs as `python -m monai.bundle run`."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

from monai.bundle import ConfigWorkflow

from cellseg_monai.bundle.command_line import check_overrides, own_message
from cellseg_monai.bundle.literal import literal
from cellseg_monai.bundle.origin import SHIPPED, shipped_names
from cellseg_monai.bundle.zipped import unpacked_bundle
from cellseg_monai.bundle_name import is_bundle_path
from cellseg_monai.errors import BundleError
from cellseg_monai.settings import read_mapping

__all__ = ["find_bundle", "run_bundle"]


def find_bundle(bundle: str | Path) -> Path:
    """Return the folder of a bundle.

    Args:
        bundle: name of a bundle that ships with this package, such as "nuclei"; or the path of another bundle's folder
            or zip, such as "./nuclei" or "nuclei.zip". A name is never looked up in the working folder, and a `Path` is
            always a path. A zip is unpacked into a cache.

    Raises:
        BundleError: the bundle does not exist, or the zip does not contain a bundle.
    """
    if not is_bundle_path(bundle):
        return _shipped(str(bundle))
    path = Path(bundle)
    if path.is_file():
        return unpacked_bundle(path)
    if (path / "configs" / "metadata.json").is_file():
        return path
    raise BundleError(
        f"no bundle at {path.absolute()}: it is no zip, and has no configs/metadata.json; pass the folder or zip of a "
        f"bundle, or one of {', '.join(shipped_names())}"
    )


def _shipped(name: str) -> Path:
    known = shipped_names()
    if name in known:
        return SHIPPED / name
    here = [path for path in (Path(name), Path("bundles") / name) if name and path.exists()]
    nearest = difflib.get_close_matches(name, known, n=1)
    remedy = f"did you mean {nearest[0]!r}?" if nearest else f"pass one of {', '.join(known)}, or a path"
    if here:
        remedy = f"to use the one in this folder, write {os.path.join(os.curdir, here[0])}"
    raise BundleError(f"no bundle named {name!r} ships with this package; {remedy}")


def run_bundle(bundle: str | Path, config: str, **overrides: Any) -> ConfigWorkflow:
    """Run one of a bundle's workflows to the end.

    Args:
        bundle: the bundle folder.
        config: name of a config, such as "train", "evaluate", "calibrate" or "inference".
        overrides: values for top-level keys of the config, such as `dataset_dir` and `output_dir`. Text stands for
            itself, even if it looks like an expression of MONAI, such as a folder called `$x`.

    Returns:
        The finished workflow.

    Raises:
        BundleError: an override is unknown, or an error from this package or from the operating system ended the
            workflow. That error's message is kept.
    """
    file = Path(bundle) / "configs" / f"{config}.json"
    check_overrides(overrides, read_mapping(file, remedy="copy the bundle again"))
    workflow = ConfigWorkflow(
        str(file),
        logging_file=str(file.with_name("logging.conf")),
        workflow_type="train" if config == "train" else "infer",
        bundle_root=literal(str(bundle)),
        **literal(overrides),
    )
    try:
        workflow.initialize()
        workflow.run()
        workflow.finalize()
    except RuntimeError as error:
        # MONAI wraps an error in an expression once for each level of the config.
        message = own_message(error)
        if message is None:
            raise
        raise BundleError(message) from error
    return workflow
