"""A page of HTML in one file: text escaped, pictures inlined, nothing fetched."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from string import Template

from matplotlib import rc_context
from matplotlib.figure import Figure

from cellseg_monai._version import __version__

__all__ = ["Cell", "chart", "data_uri", "items", "paragraph", "render_page", "section", "table", "text_cell"]

Cell = tuple[str, str]
"""What a cell of a table shows, as HTML, and by what it is sorted, as text."""


def render_page(title: str, lead: str, sections: Sequence[tuple[str, str]]) -> str:
    """The whole page.

    Args:
        title: as text.
        lead: what follows the title, as HTML.
        sections: the heading of each, as text, and its content, as HTML; the menu lists all.

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
    """A part of the page under a heading that links can lead to.

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
    """A paragraph of text; its kind is a class of the style sheet.

    >>> paragraph("1 < 2"), paragraph("see", "note")
    ('<p>1 &lt; 2</p>', '<p class="note">see</p>')
    """
    return f"<p{_class(kind)}>{escape(text)}</p>"


def items(texts: Iterable[str]) -> str:
    """A list of texts.

    >>> print(items(["a & b"]))
    <ul>
    <li>a &amp; b</li>
    </ul>
    """
    return "\n".join(["<ul>", *(f"<li>{escape(text)}</li>" for text in texts), "</ul>"])


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]], *, sortable: bool = False) -> str:
    """A table, the first cell of each row its heading.

    Args:
        head: of each column, as text.
        rows: the cells.
        sortable: the heads are buttons that sort.

    >>> print(table(["image"], [[("<b>a</b>", "a")]]))
    <table>
    <thead><tr><th scope="col">image</th></tr></thead>
    <tbody>
    <tr><th scope="row" data-value="a"><b>a</b></th></tr>
    </tbody>
    </table>
    """
    shown_heads = [escape(text).replace("_", "_<wbr>") for text in head]  # long names may break there
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
    """A cell that shows a value as it is and is sorted by it.

    >>> text_cell("<a>"), text_cell(3)
    (('&lt;a&gt;', '<a>'), ('3', '3'))
    """
    return escape(str(value)), str(value)


def chart(figure: Figure, alt: str) -> str:
    """A figure as vectors within the page; letters are drawn, so that no font is needed.

    Args:
        figure: any.
        alt: what it shows, for those who do not see it.
    """
    written = io.BytesIO()
    # The salt and the missing date: the same figure gives the same bytes.
    with rc_context({"svg.fonttype": "path", "svg.hashsalt": "cellseg_monai"}):
        figure.savefig(written, format="svg", metadata={"Date": None})
    source = data_uri(written.getvalue(), "image/svg+xml")
    return f'<img class="chart" alt="{escape(alt)}" src="{source}">'


def data_uri(content: bytes, media_type: str) -> str:
    """Bytes as a URL that holds them.

    >>> data_uri(b"abc", "image/png")
    'data:image/png;base64,YWJj'
    """
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
