"""A data set's numbers, figure and faults as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import tempfile
from html import escape
from pathlib import Path
from string import Template

from cellseg_monai.atomic import replacing
from cellseg_monai.data.show import draw_dataset
from cellseg_monai.data.statistics import DatasetStatistics

__all__ = ["write_dataset_page"]

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #222 }
table { border-collapse: collapse }
th, td { text-align: left; padding: .3rem 1rem .3rem 0; border-bottom: 1px solid #ddd }
th { font-weight: 600 } img { max-width: 100%; height: auto } li { overflow-wrap: anywhere }
</style>
</head>
<body>
<h1>$title</h1>
<table>
$rows
</table>
$faults
<h2>Distributions and examples</h2>
<p>Examples by their number of objects, from the fewest to the most; outlines are those of the labels.</p>
<img src="data:image/png;base64,$figure" alt="Histograms of objects an image, of their sizes and intensities; examples">
</body>
</html>
""")


def write_dataset_page(path: str | Path, statistics: DatasetStatistics, *, axes: str | None = None) -> None:
    """Write the page of a data set.

    Args:
        path: the HTML file.
        statistics: of the data set.
        axes: of the image files, where they do not state them; see `io.read`.
    """
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "figure.png"
        draw_dataset(picture, statistics, axes=axes)
        figure = base64.b64encode(picture.read_bytes()).decode()
    rows = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in statistics.rows()
    )
    listed = "".join(f"<li>{escape(fault)}</li>" for fault in statistics.faults)
    faults = f"<h2>Left out</h2>\n<ul>{listed}</ul>" if listed else ""
    title = escape(f"Data set {statistics.dataset.resolve().name}")
    with replacing(path) as aside:
        aside.write_text(_PAGE.substitute(title=title, rows=rows, faults=faults, figure=figure), encoding="utf-8")
