"""MONAI bundles: building and checking their configs, finding them, and running them."""

from cellseg_monai.bundle.build import build_bundle, drifted_files, find_bundles
from cellseg_monai.bundle.check import bundle_faults, metadata_faults
from cellseg_monai.bundle.command_line import check_command_line, check_overrides
from cellseg_monai.bundle.find import find_bundle_root, find_checkpoint, find_postprocess
from cellseg_monai.bundle.origin import code_digest, is_shipped
from cellseg_monai.bundle.pipeline_loader import PipelineLoader, load_pipeline
from cellseg_monai.bundle.run import find_bundle, run_bundle
from cellseg_monai.bundle.scout_loader import load_scout, suggested_bundles
from cellseg_monai.bundle.shipped_weights import ShippedWeights
from cellseg_monai.bundle.start import find_start
from cellseg_monai.bundle.training_data import find_training_data
from cellseg_monai.bundle.variants import check_variants

__all__ = [
    "PipelineLoader",
    "ShippedWeights",
    "build_bundle",
    "bundle_faults",
    "check_command_line",
    "check_overrides",
    "check_variants",
    "code_digest",
    "drifted_files",
    "find_bundle",
    "find_bundle_root",
    "find_bundles",
    "find_checkpoint",
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
