"""Fine-tuning: a bundle's weights adapted to a few annotated images, and how the score depends on their number."""

from cellseg_monai.finetuning.finetune import Finetuned, finetune
from cellseg_monai.finetuning.learning_curve import Curve, learning_curve

__all__ = ["Curve", "Finetuned", "finetune", "learning_curve"]
