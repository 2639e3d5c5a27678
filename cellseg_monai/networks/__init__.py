"""Networks that MONAI lacks, and those of segmentation-models-pytorch as bundles name them."""

from cellseg_monai.networks.smp_model import smp_model

__all__ = ["smp_model"]
