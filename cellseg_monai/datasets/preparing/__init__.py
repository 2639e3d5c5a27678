"""Converting published data sets from their raw folders to `images/`, `labels/` and `datalist.json`.

To add a layout, write a module with a `Preparer` in this package, and list the preparer in `layouts.py`.
"""

from cellseg_monai.datasets.preparing.layouts import PREPARERS, find_preparer
from cellseg_monai.datasets.preparing.preparer import Preparer, RawContent, Work
from cellseg_monai.datasets.preparing.runner import Prepared, prepare

__all__ = ["PREPARERS", "Prepared", "Preparer", "RawContent", "Work", "find_preparer", "prepare"]
