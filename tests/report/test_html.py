"""HTML pages: text is always escaped."""

import pytest
from matplotlib.figure import Figure

from cellseg_monai.report.html import chart, items, paragraph, render_page, table, text_cell
from tests.report.pages import Reader

NASTY = "<script>alert(\"1\")</script> & '$title'"


@pytest.mark.parametrize(
    "content",
    [
        paragraph(NASTY),
        items([NASTY]),
        table(["image"], [[text_cell(NASTY)]]),
        table([NASTY], [], sortable=True),
        chart(Figure(), NASTY),
    ],
    ids=["a paragraph", "a list", "a cell", "a heading of a column", "the description of a chart"],
)
def test_tags_in_a_text_are_escaped(content: str) -> None:
    page = Reader(content)
    assert "script" not in [tag for tag, _ in page.tags]
    texts = [page.text, *(value for _, attributes in page.tags for value in attributes.values() if value)]
    assert any(NASTY in text for text in texts)


def test_title_and_headings_are_escaped_and_the_menu_links_to_them() -> None:
    page = Reader(render_page(NASTY, "", [("A <b> & c", "<p>1</p>"), ("F1 over IoU", "")]))
    assert [tag for tag, _ in page.tags].count("script") == 1  # the page's own
    anchors = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    places = [attributes["id"] for tag, attributes in page.tags if tag == "section"]
    assert anchors == [f"#{place}" for place in places] == ["#a-b-c", "#f1-over-iou"]


def test_only_sortable_tables_have_buttons() -> None:
    rows = [[text_cell("a"), text_cell(3)]]
    plain, sortable = (Reader(table(["image", "n"], rows, sortable=sort)) for sort in (False, True))
    assert [tag for tag, _ in plain.tags].count("button") == 0
    assert [tag for tag, _ in sortable.tags].count("button") == 2


def test_the_same_figure_gives_the_same_bytes() -> None:
    def drawn() -> str:
        figure = Figure()
        figure.subplots().plot([1, 2])
        return chart(figure, "two")

    assert drawn() == drawn()
