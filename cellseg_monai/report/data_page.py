"""A data set as a page or a picture: its numbers, distributions, examples and faults."""

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
    """Write what a data set holds: all of it as one HTML page that needs nothing beside it, or the figure alone.

    Args:
        path: a file named .html, or .png for the figure.
        statistics: of the data set.
        axes: of the image files, where they do not state them; see `io.read`.

    Raises:
        ValueError: a file of another name, or a figure of no images.
    """
    path = Path(path)
    if path.suffix not in (".html", ".png"):
        raise ValueError(f"output {path} came, but a file named .html or .png was expected; rename it")
    if path.suffix == ".png":
        if not statistics.images:
            raise ValueError(f"{statistics.dataset}: no image can be read for a figure; see to what is wrong with them")
        save_figure(data_figure(statistics, axes=axes), path)
        return
    rows = [[text_cell(name), text_cell(value)] for name, value in statistics.rows()]
    sections = [("Numbers", f'<div class="words">{table(["measure", "value"], rows)}</div>')]
    if statistics.faults:
        sections.append(("Left out", f'<div class="note fault">{items(map(str, statistics.faults))}</div>'))
    if statistics.images:
        told = "Examples by their number of objects, from the fewest to the most; outlines are those of the labels."
        written = io.BytesIO()
        # Pixels, not vectors: the examples are most of it.
        data_figure(statistics, axes=axes).savefig(written, format="png", dpi=110)
        picture = f'<img class="chart" alt="{escape(_ALT)}" src="{data_uri(written.getvalue(), "image/png")}">'
        sections.append(("Distributions and examples", f"{paragraph(told)}\n{picture}"))
    with replacing(path) as aside:
        page = render_page(f"Data set {statistics.dataset.resolve().name}", "", sections)
        aside.write_text(page, encoding="utf-8")
