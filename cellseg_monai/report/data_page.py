"""Summary of a data set as an HTML page or a single figure."""

from __future__ import annotations

import io
from pathlib import Path

from cellseg_monai.atomic import replacing
from cellseg_monai.data.statistics import DatasetStatistics
from cellseg_monai.report.data_figure import data_figure
from cellseg_monai.report.figure_file import save_figure
from cellseg_monai.report.html import data_uri, escape, items, paragraph, render_page, table, text_cell

__all__ = ["write_dataset"]

_ALT = "Histograms of objects per image and of object sizes; intensity ranges; example images with outlined labels"


def write_dataset(path: str | Path, statistics: DatasetStatistics, *, axes: str | None = None) -> None:
    """Write a summary of a data set, either as a self-contained HTML page or as a figure only.

    Args:
        path: output file: .html for the page, .png for the figure.
        statistics: statistics of the data set.
        axes: axes of image files that do not state their own; see `io.read`.

    Raises:
        ValueError: the file has a different suffix, or no image can be read for a .png figure.
    """
    path = Path(path)
    if path.suffix not in (".html", ".png"):
        raise ValueError(f"got output={path}; choose a name that ends in .html or .png")
    if path.suffix == ".png":
        if not statistics.images:
            raise ValueError(
                f"{statistics.dataset}: no readable images, so there is nothing to draw; fix the reported faults"
            )
        save_figure(data_figure(statistics, axes=axes), path)
        return
    rows = [[text_cell(name), text_cell(value)] for name, value in statistics.rows()]
    sections = [("Numbers", f'<div class="words">{table(["measure", "value"], rows)}</div>')]
    if statistics.faults:
        sections.append(("Left out", f'<div class="note fault">{items(map(str, statistics.faults))}</div>'))
    if statistics.images:
        text = "Example images, from the fewest objects to the most, with outlined labels."
        png = io.BytesIO()
        # A bitmap rather than SVG, because images fill most of the figure.
        data_figure(statistics, axes=axes).savefig(png, format="png", dpi=110)
        picture = f'<img class="chart" alt="{escape(_ALT)}" src="{data_uri(png.getvalue(), "image/png")}">'
        sections.append(("Distributions and examples", f"{paragraph(text)}\n{picture}"))
    with replacing(path) as aside:
        page = render_page(f"Data set {statistics.dataset.resolve().name}", "", sections)
        aside.write_text(page, encoding="utf-8")
