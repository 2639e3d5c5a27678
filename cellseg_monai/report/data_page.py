"""A data set as a page or a picture, with its numbers, distributions, examples and faults."""

from __future__ import annotations

import io
from html import escape
from pathlib import Path

from cellseg_monai.atomic import replacing
from cellseg_monai.data.statistics import DatasetStatistics
from cellseg_monai.report.data_figure import data_figure
from cellseg_monai.report.figure_file import save_figure
from cellseg_monai.report.html import data_uri, items, paragraph, render_page, table, text_cell

__all__ = ["write_dataset"]

_ALT = "Histograms of objects per image, of their sizes and of intensities; examples with outlines"


def write_dataset(path: str | Path, statistics: DatasetStatistics, *, axes: str | None = None) -> None:
    """Write a summary of a data set as a self-contained HTML page, or its figure alone.

    Args:
        path: output file, named .html for the page or .png for the figure.
        statistics: statistics of the data set.
        axes: axes of the image files, for files that do not state them; see `io.read`.

    Raises:
        ValueError: the file has another suffix, or there are no images to draw the figure from.
    """
    path = Path(path)
    if path.suffix not in (".html", ".png"):
        raise ValueError(f"got output {path}, expected a file named .html or .png; rename it")
    if path.suffix == ".png":
        if not statistics.images:
            raise ValueError(
                f"{statistics.dataset}: no image can be read, so there is nothing to draw; fix the reported faults"
            )
        save_figure(data_figure(statistics, axes=axes), path)
        return
    rows = [[text_cell(name), text_cell(value)] for name, value in statistics.rows()]
    sections = [("Numbers", f'<div class="words">{table(["measure", "value"], rows)}</div>')]
    if statistics.faults:
        sections.append(("Left out", f'<div class="note fault">{items(map(str, statistics.faults))}</div>'))
    if statistics.images:
        text = "Examples from the fewest objects to the most, with the outlines of their labels."
        png = io.BytesIO()
        # Pixels instead of vectors, because images fill most of the figure.
        data_figure(statistics, axes=axes).savefig(png, format="png", dpi=110)
        picture = f'<img class="chart" alt="{escape(_ALT)}" src="{data_uri(png.getvalue(), "image/png")}">'
        sections.append(("Distributions and examples", f"{paragraph(text)}\n{picture}"))
    with replacing(path) as aside:
        page = render_page(f"Data set {statistics.dataset.resolve().name}", "", sections)
        aside.write_text(page, encoding="utf-8")
