"""Public data sets: a registry, downloads, preparation for training, and selection of images."""

from cellseg_monai.datasets.registry import DataSet, find_data_set, format_registry, load_registry
from cellseg_monai.datasets.selecting import select

__all__ = ["DataSet", "find_data_set", "format_registry", "load_registry", "select"]
