"""Public data sets, fetched: resumed downloads, checked, unpacked without harm, with their provenance beside them."""

from cellseg_monai.data.fetching.archives import Limits, unpack
from cellseg_monai.data.fetching.fetch import Fetched, default_folder, fetch_data_set
from cellseg_monai.data.fetching.provenance import FetchedFile, describe

__all__ = ["Fetched", "FetchedFile", "Limits", "default_folder", "describe", "fetch_data_set", "unpack"]
