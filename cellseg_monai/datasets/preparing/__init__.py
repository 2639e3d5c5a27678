"""Raw folders of published data sets, prepared as `images/`, `labels/` and `datalist.json`.

A new layout is a file here with one `Preparer`, and an entry in `layouts.py`.
"""

from cellseg_monai.datasets.preparing.layouts import PREPARERS, find_preparer
from cellseg_monai.datasets.preparing.preparer import Found, Preparer, Work
from cellseg_monai.datasets.preparing.runner import Prepared, prepare

__all__ = ["PREPARERS", "Found", "Prepared", "Preparer", "Work", "find_preparer", "prepare"]
