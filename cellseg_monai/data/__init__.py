"""Data sets: folder layout, datalists, splits, checks for faults, and synthetic images with exact labels.

`cellseg_monai.data.layout` describes the folders of a data set, and `cellseg_monai.data.datalist` describes datalists.
"""

from cellseg_monai.data.balance import balanced_weights
from cellseg_monai.data.class_faults import check_classes
from cellseg_monai.data.classes_of_cells import cell_classes
from cellseg_monai.data.content_digest import items_digest
from cellseg_monai.data.datalist import load_datalist, propose_datalist, write_datalist
from cellseg_monai.data.items import calibration_items, image_items, section_items
from cellseg_monai.data.layout import list_images
from cellseg_monai.data.lint import check_dataset
from cellseg_monai.data.neighbours import neighbour_diameter_px
from cellseg_monai.data.sample import sample_dataset, write_sample_dataset
from cellseg_monai.data.split import Datalist, Item, split_dataset
from cellseg_monai.data.subset import labelled_subset, nested_subset
from cellseg_monai.data.synthetic_cells import phase_cells
from cellseg_monai.data.synthetic_kinds import two_kinds
from cellseg_monai.data.synthetic_nuclei import nuclei
from cellseg_monai.data.synthetic_shapes import SyntheticImage
from cellseg_monai.data.unlabelled import check_readable, unlabelled_items

__all__ = [
    "Datalist",
    "Item",
    "SyntheticImage",
    "balanced_weights",
    "calibration_items",
    "cell_classes",
    "check_classes",
    "check_dataset",
    "check_readable",
    "image_items",
    "items_digest",
    "labelled_subset",
    "list_images",
    "load_datalist",
    "neighbour_diameter_px",
    "nested_subset",
    "nuclei",
    "phase_cells",
    "propose_datalist",
    "sample_dataset",
    "section_items",
    "split_dataset",
    "two_kinds",
    "unlabelled_items",
    "write_datalist",
    "write_sample_dataset",
]
