"""Objects from a network's answer: logits to probability maps, maps to label images. Needs no torch."""

from cellseg_monai.decoding.blockwise import label_in_blocks
from cellseg_monai.decoding.postprocess import METHODS, Postprocessing, foreground_mask, label_objects
from cellseg_monai.decoding.probabilities import boundary_probabilities, foreground_probability
from cellseg_monai.decoding.watershed import divide_by_distance, grow_seeds

__all__ = [
    "METHODS",
    "Postprocessing",
    "boundary_probabilities",
    "divide_by_distance",
    "foreground_mask",
    "foreground_probability",
    "grow_seeds",
    "label_in_blocks",
    "label_objects",
]
