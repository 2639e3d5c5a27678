"""Write segmented objects for other programs: label images, outlines and tables, all with the same ids."""

from cellseg_monai.exports.registry import EXPORTS, Export, chosen_exports, write_exports
from cellseg_monai.exports.segmentation import Segmentation, place_name

__all__ = ["EXPORTS", "Export", "Segmentation", "chosen_exports", "place_name", "write_exports"]
