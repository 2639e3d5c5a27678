"""MONAI bundles: building and checking their configs, finding them, and running them.

A public name is imported with its module on first use. Finding a bundle therefore takes no time for importing MONAI.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellseg_monai.bundle.build import build_bundle, drifted_files
    from cellseg_monai.bundle.check import bundle_faults, metadata_faults
    from cellseg_monai.bundle.command_line import check_command_line, check_overrides
    from cellseg_monai.bundle.copying import copy_bundle
    from cellseg_monai.bundle.find import find_bundle_root, find_checkpoint, find_output, find_postprocess
    from cellseg_monai.bundle.locate import find_bundle, find_bundles
    from cellseg_monai.bundle.origin import code_digest, is_shipped
    from cellseg_monai.bundle.pipeline_loader import PipelineLoader, load_pipeline
    from cellseg_monai.bundle.run import run_bundle
    from cellseg_monai.bundle.scout_loader import load_scout, suggested_bundles
    from cellseg_monai.bundle.shipped_weights import ShippedWeights
    from cellseg_monai.bundle.start import find_start
    from cellseg_monai.bundle.training_data import find_training_data
    from cellseg_monai.bundle.variants import check_variants

_MODULES = {
    "build": ("build_bundle", "drifted_files"),
    "check": ("bundle_faults", "metadata_faults"),
    "command_line": ("check_command_line", "check_overrides"),
    "copying": ("copy_bundle",),
    "find": ("find_bundle_root", "find_checkpoint", "find_output", "find_postprocess"),
    "locate": ("find_bundle", "find_bundles"),
    "origin": ("code_digest", "is_shipped"),
    "pipeline_loader": ("PipelineLoader", "load_pipeline"),
    "run": ("run_bundle",),
    "scout_loader": ("load_scout", "suggested_bundles"),
    "shipped_weights": ("ShippedWeights",),
    "start": ("find_start",),
    "training_data": ("find_training_data",),
    "variants": ("check_variants",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "PipelineLoader",
    "ShippedWeights",
    "build_bundle",
    "bundle_faults",
    "check_command_line",
    "check_overrides",
    "check_variants",
    "code_digest",
    "copy_bundle",
    "drifted_files",
    "find_bundle",
    "find_bundle_root",
    "find_bundles",
    "find_checkpoint",
    "find_output",
    "find_postprocess",
    "find_start",
    "find_training_data",
    "is_shipped",
    "load_pipeline",
    "load_scout",
    "metadata_faults",
    "run_bundle",
    "suggested_bundles",
]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
