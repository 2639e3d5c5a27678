"""Fine-tuning: a bundle's weights adapted to a few annotated images, and how the score depends on their number."""

from cellseg_monai.finetuning.curve import Curve, learning_curve
from cellseg_monai.finetuning.tuning_run import Finetuned, finetune

__all__ = ["Curve", "Finetuned", "finetune", "learning_curve"]
