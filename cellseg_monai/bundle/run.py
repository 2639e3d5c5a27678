"""Running a bundle's workflows from Python, with the same configs as `python -m monai.bundle run`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from monai.bundle import ConfigWorkflow

from cellseg_monai.bundle.command_line import check_overrides, own_message
from cellseg_monai.bundle.literal import literal
from cellseg_monai.errors import BundleError
from cellseg_monai.settings import read_mapping

__all__ = ["run_bundle"]


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
