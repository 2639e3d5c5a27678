"""Public data sets fetched: resumed downloads, checked, unpacked safely, with their provenance beside them."""

from cellseg_monai.datasets.fetching.fetch import Fetched, default_folder, fetch_data_set
from cellseg_monai.datasets.fetching.provenance import FetchedFile, describe

__all__ = ["Fetched", "FetchedFile", "default_folder", "describe", "fetch_data_set"]
