"""Export segmented objects to label images, outlines and tables for other programs, with the same ids in all files."""

from cellseg_monai.exports.registry import EXPORTS, Export, chosen_exports, write_exports
from cellseg_monai.exports.segmentation import Segmentation, place_name

__all__ = ["EXPORTS", "Export", "Segmentation", "chosen_exports", "place_name", "write_exports"]
