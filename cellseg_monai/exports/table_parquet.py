"""Write measurements as Parquet, one row per object, preserving the types of the columns."""

from __future__ import annotations

from pathlib import Path

from cellseg_monai.atomic import replacing
from cellseg_monai.exports.segmentation import Segmentation

__all__ = ["write"]


def write(path: Path, segmentation: Segmentation) -> None:
    """Write the table of measurements.

    Args:
        path: file to write.
        segmentation: objects whose table to write.
    """
    import pyarrow
    from pyarrow import parquet

    with replacing(path) as aside, open(aside, "wb") as file:  # pyarrow cannot open a file whose name is no text
        parquet.write_table(pyarrow.table(dict(segmentation.table.columns)), file)
