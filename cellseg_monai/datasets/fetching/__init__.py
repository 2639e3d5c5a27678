"""Resumable downloads of public data sets, with checksums, safe unpacking and provenance records."""

from cellseg_monai.datasets.fetching.fetch import Fetched, default_folder, fetch_data_set
from cellseg_monai.datasets.fetching.provenance import FetchedFile, describe

__all__ = ["Fetched", "FetchedFile", "default_folder", "describe", "fetch_data_set"]
