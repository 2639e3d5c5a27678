"""HTML pages as a browser reads them."""

import re
from html.parser import HTMLParser
from pathlib import Path


class Reader(HTMLParser):
    """The tags of a page with their attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, attribute: str, tag: str | None = None) -> list[str]:
        """Return the values of an attribute in all tags, or in the tags of one kind."""
        return [
            str(attributes[attribute])
            for kind, attributes in self.tags
            if attribute in attributes and tag in (kind, None)
        ]

    def figures(self) -> list[str]:
        """Return the ids of the images that are shown as a whole."""
        return self.values("id", "figure")


def check_page(path: Path) -> Reader:
    """Check that a page fetches nothing, runs only its own script and links only to itself, and return it."""
    text = path.read_text(encoding="utf-8")
    page = Reader(text)
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        assert not any(name.startswith("on") or name in ("srcset", "action", "background") for name in attributes)
        assert tag != "img" or "alt" in attributes
    assert not re.search(r"https?:|url\(|@import", text)
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert all(source.startswith("data:image/") for source in page.values("src"))
    targets, places = page.values("href"), page.values("id")
    assert all(target.startswith("#") for target in targets)
    assert len(set(places)) == len(places)
    assert {target.removeprefix("#") for target in targets} <= set(places)
    return page
