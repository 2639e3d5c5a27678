"""Objects of maps that do not fit into memory: block by block, with the labels that the whole image would have."""

from cellseg_monai.decoding.blockwise.label import label_in_blocks

__all__ = ["label_in_blocks"]
