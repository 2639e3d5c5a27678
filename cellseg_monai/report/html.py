"""Building blocks for self-contained HTML pages: text is escaped, and pictures are inlined."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence
from importlib import resources
from string import Template

from matplotlib import rc_context
from matplotlib.figure import Figure

from cellseg_monai._version import __version__
from cellseg_monai.one_line import one_line

__all__ = ["Cell", "chart", "data_uri", "escape", "items", "paragraph", "render_page", "section", "table", "text_cell"]

Cell = tuple[str, str]
"""A table cell: its content as HTML, and the text to sort it by."""


def escape(text: str) -> str:
    r"""Return text as HTML, on one line.

    >>> escape("<a>\udcff")
    '&lt;a&gt;\\udcff'
    """
    return html.escape(one_line(text))


def render_page(title: str, lead: str, sections: Sequence[tuple[str, str]]) -> str:
    """Return a complete HTML page.

    Args:
        title: page title, as plain text.
        lead: content below the title, as HTML.
        sections: for each section, its heading as plain text and its content as HTML. The menu links to every section.

    >>> page = render_page("A < B", "", [("Size & shape", "<p>1</p>")])
    >>> "<h1>A &lt; B</h1>" in page, '<li><a href="#size-shape">Size &amp; shape</a></li>' in page
    (True, True)
    """
    files = resources.files("cellseg_monai.report")
    parts = {name: (files / f"page.{name}").read_text(encoding="utf-8") for name in ("html", "css", "js")}
    contents = [f'<li><a href="#{_anchor(heading)}">{escape(heading)}</a></li>' for heading, _ in sections]
    return Template(parts["html"]).substitute(
        version=__version__,
        title=escape(title),
        style=parts["css"].strip(),
        script=parts["js"].strip(),
        lead=lead,
        contents="\n".join(contents),
        sections="\n".join(section(heading, content) for heading, content in sections),
    )


def section(heading: str, content: str) -> str:
    """Return a page section whose id is derived from its heading, so that links can point to it.

    >>> print(section("F1 over IoU", "<p>1</p>"))
    <section id="f1-over-iou">
    <h2>F1 over IoU</h2>
    <p>1</p>
    </section>
    """
    return f'<section id="{_anchor(heading)}">\n<h2>{escape(heading)}</h2>\n{content}\n</section>'


def _anchor(heading: str) -> str:
    words = "".join(letter if letter.isalnum() else " " for letter in heading.lower())
    return "-".join(words.split())


def paragraph(text: str, kind: str = "") -> str:
    """Return text as an HTML paragraph; `kind` is an optional CSS class.

    >>> paragraph("1 < 2"), paragraph("see", "note")
    ('<p>1 &lt; 2</p>', '<p class="note">see</p>')
    """
    return f"<p{_class(kind)}>{escape(text)}</p>"


def items(texts: Iterable[str]) -> str:
    """Return strings as a bulleted HTML list.

    >>> print(items(["a & b"]))
    <ul>
    <li>a &amp; b</li>
    </ul>
    """
    return "\n".join(["<ul>", *(f"<li>{escape(text)}</li>" for text in texts), "</ul>"])


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]], *, sortable: bool = False) -> str:
    """Return an HTML table in which the first cell of each row is the row heading.

    Args:
        head: column headings, as plain text.
        rows: the cells of each row.
        sortable: turn the column headings into buttons that sort the table.

    >>> print(table(["image"], [[("<b>a</b>", "a")]]))
    <table>
    <thead><tr><th scope="col">image</th></tr></thead>
    <tbody>
    <tr><th scope="row" data-value="a"><b>a</b></th></tr>
    </tbody>
    </table>
    """
    shown_heads = [escape(text).replace("_", "_<wbr>") for text in head]  # lets long names wrap at underscores
    heads = [f'<button type="button">{text}</button>' if sortable else text for text in shown_heads]
    lines = ["<table>", "<thead><tr>" + "".join(f'<th scope="col">{text}</th>' for text in heads) + "</tr></thead>"]
    lines.append("<tbody>")
    for row in rows:
        (name, key), *others = row
        cells = [f'<th scope="row" data-value="{escape(key)}">{name}</th>']
        cells += [f'<td data-value="{escape(value)}">{shown}</td>' for shown, value in others]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return "\n".join([*lines, "</tbody>", "</table>"])


def text_cell(value: object) -> Cell:
    """Return a cell that shows a value as text and sorts by the same text.

    >>> text_cell("<a>"), text_cell(3)
    (('&lt;a&gt;', '<a>'), ('3', '3'))
    """
    return escape(str(value)), str(value)


def chart(figure: Figure, alt: str) -> str:
    """Return a figure as an inlined SVG image, with letters drawn as paths so that no fonts are needed.

    Args:
        figure: figure to show.
        alt: description of the figure for screen readers.
    """
    svg = io.BytesIO()
    # With a fixed salt and no date, the same figure always gives the same bytes.
    with rc_context({"svg.fonttype": "path", "svg.hashsalt": "cellseg_monai"}):
        figure.savefig(svg, format="svg", metadata={"Date": None})
    source = data_uri(svg.getvalue(), "image/svg+xml")
    return f'<img class="chart" alt="{escape(alt)}" src="{source}">'


def data_uri(content: bytes, media_type: str) -> str:
    """Return bytes as a base64-encoded data URI.

    >>> data_uri(b"abc", "image/png")
    'data:image/png;base64,YWJj'
    """
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
