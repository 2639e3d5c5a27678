"""Running a bundle's workflows from Python, with the same configs as `python -m monai.bundle run`."""

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
        bundle: folder, zip or name of the bundle. A zip is unpacked into a cache. A named bundle is looked up in
            `bundles/`, first in the working directory and then in the checkout that contains this package.

    Raises:
        BundleError: the bundle does not exist, or the zip does not contain a bundle.
    """
    if Path(bundle).is_file():
        return unpacked_bundle(Path(bundle))
    candidates = [Path(bundle), Path("bundles") / bundle, _CHECKOUT / "bundles" / bundle]
    for folder in candidates:
        if (folder / "configs" / "metadata.json").is_file():
            return folder
    looked = ", ".join(str(folder.absolute()) for folder in candidates)
    raise BundleError(
        f"no bundle named {str(bundle)!r}: none of {looked} contains configs/metadata.json; pass a bundle folder or zip"
    )


def run_bundle(bundle: str | Path, config: str, **overrides: Any) -> ConfigWorkflow:
    """Run one of a bundle's workflows to the end.

    Args:
        bundle: the bundle folder.
        config: name of a config that uses trained weights, such as "evaluate", "calibrate" or "inference".
        overrides: values for top-level keys of the config, such as `dataset_dir` and `output_dir`.

    Returns:
        The finished workflow.

    Raises:
        BundleError: an override is unknown, or an error from this package or from the operating system ended the
            workflow. That error's message is kept.
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
        # MONAI wraps an error in an expression once for each level of the config.
        message = own_message(error)
        if message is None:
            raise
        raise BundleError(message) from error
    return workflow
