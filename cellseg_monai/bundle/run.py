"""Running a workflow of a bundle from Python, with the configs that `python -m monai.bundle run` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monai.bundle import ConfigParser, ConfigWorkflow

from cellseg_monai.bundle.command_line import check_overrides, own_message
from cellseg_monai.bundle.zipped import unpacked_bundle
from cellseg_monai.errors import BundleError

__all__ = ["find_bundle", "run_bundle"]

_CHECKOUT = Path(__file__).parents[2]


def find_bundle(bundle: str | Path) -> Path:
    """Return the folder of a bundle.

    Args:
        bundle: folder of the bundle; a zip of it, which is unpacked into a cache; or the name of a bundle in `bundles/`
            of the working folder, or of the checkout that contains this package.

    Raises:
        BundleError: there is no such bundle.
    """
    if Path(bundle).is_file():
        return unpacked_bundle(Path(bundle))
    candidates = [Path(bundle), Path("bundles") / bundle, _CHECKOUT / "bundles" / bundle]
    for folder in candidates:
        if (folder / "configs" / "metadata.json").is_file():
            return folder
    looked = ", ".join(str(folder.absolute()) for folder in candidates)
    raise BundleError(f"no bundle {str(bundle)!r}: none of {looked} has configs/metadata.json; name its folder or zip")


def run_bundle(bundle: str | Path, config: str, **overrides: Any) -> ConfigWorkflow:
    """Run a config of a bundle, and wait until it has ended.

    Args:
        bundle: folder of the bundle.
        config: name of a config that uses trained weights, such as "evaluate", "calibrate" or "inference".
        overrides: values for top-level keys of the config, such as `dataset_dir` and `output_dir`.

    Returns:
        The workflow, which has ended.

    Raises:
        BundleError: the config does not have one of the overrides, or the workflow raised an error of this package,
            which is then the cause.
    """
    file = Path(bundle) / "configs" / f"{config}.json"
    check_overrides(overrides, ConfigParser.load_config_file(str(file)))
    workflow = ConfigWorkflow(
        str(file),
        logging_file=str(file.with_name("logging.conf")),
        workflow_type="infer",
        bundle_root=str(bundle),
        **overrides,
    )
    try:
        workflow.initialize()
        workflow.run()
        workflow.finalize()
    except RuntimeError as error:
        # MONAI wraps an error in an expression once for each level.
        message = own_message(error)
        if message is None:
            raise
        raise BundleError(message) from error
    return workflow
