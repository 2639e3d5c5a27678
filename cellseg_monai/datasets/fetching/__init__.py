"""Public data sets from their servers: resumable downloads, checksums, safe unpacking and provenance."""

from cellseg_monai.datasets.fetching.fetch import Fetched, default_folder, fetch_data_set
from cellseg_monai.datasets.fetching.provenance import FetchedFile, describe

__all__ = ["Fetched", "FetchedFile", "default_folder", "describe", "fetch_data_set"]
