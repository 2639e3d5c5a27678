"""The preparation of raw folders of published data sets as `images/`, `labels/` and `datalist.json`.

A new layout is a file here with one `Preparer`, and an entry in `layouts.py`.
"""

from cellseg_monai.datasets.preparing.layouts import PREPARERS, find_preparer
from cellseg_monai.datasets.preparing.preparer import Preparer, RawContent, Work
from cellseg_monai.datasets.preparing.runner import Prepared, prepare

__all__ = ["PREPARERS", "Prepared", "Preparer", "RawContent", "Work", "find_preparer", "prepare"]
