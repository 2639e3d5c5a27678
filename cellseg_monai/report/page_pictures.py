"""Figures of images for a report page, drawn as large as the size limit of the page allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from cellseg_monai.report.html import escape, paragraph

__all__ = ["Drawn", "Named", "check_boxes", "draw_groups", "figure", "image_figure", "left_out_note"]

_SIDES_PX = (1400, 1000, 700, 500)  # longer side of a picture; the first size that fits is used


class Named(Protocol):
    """Any object that has an image name."""

    @property
    def name(self) -> str:
        """The name of the image."""


Shown = TypeVar("Shown", bound=Named)


@dataclass(frozen=True)
class Drawn:
    """The figures of a page.

    Args:
        content: the figures, as HTML.
        shown: names of the images that are shown.
        left_out: names of the images that did not fit within the size limit.
    """

    content: str
    shown: Sequence[str]
    left_out: Sequence[str]


def draw_groups(
    groups: Mapping[str, Sequence[Shown]], figures: Callable[[Shown], Callable[[int], str]], room_bytes: int
) -> Drawn:
    """Draw figures of images under their headings, reduced in size where necessary to stay within the limit.

    Args:
        groups: images to show under each heading.
        figures: function that loads an image and returns a drawing function. The drawing function takes the longer side
            of the picture in pixels and returns the figure as HTML.
        room_bytes: maximum total size of the figures in bytes.
    """
    parts: list[str] = []
    shown: list[str] = []
    left_out: list[str] = []
    images_left = sum(map(len, groups.values()))
    for heading, images in groups.items():
        parts.append(f"<h3>{escape(heading)}</h3>")
        for image in images:
            drawn = _first_within(figures(image), room_bytes // images_left)
            images_left -= 1
            if drawn is None:
                left_out.append(image.name)
                continue
            parts.append(drawn)
            shown.append(image.name)
            room_bytes -= len(drawn)
    return Drawn("\n".join(parts), shown, left_out)


def _first_within(draw: Callable[[int], str], room_bytes: int) -> str | None:
    return next((drawn for drawn in map(draw, _SIDES_PX) if len(drawn) <= room_bytes), None)


def image_figure(name: str, rank: int, score: str, picture: str, caption: str, *, below: str = "") -> str:
    """Return the figure of an image as HTML, with an id for links from the table and a link back to the table.

    Args:
        name: name of the image, as plain text.
        rank: rank of the image, starting at 1; part of the figure's id.
        score: score of the image as plain text, shown in small print after the name.
        picture: picture of the image, as HTML.
        caption: caption below the picture, as plain text.
        below: content below the caption, as HTML.
    """
    return "\n".join(
        [
            f'<figure id="image-{rank}">',
            f"<h4>{rank}. {escape(name)} <small>{escape(score)}</small></h4>",
            picture,
            f'<figcaption>{escape(caption)} <a class="back" href="#images">Back to the table</a></figcaption>',
            *([below] if below else []),
            "</figure>",
        ]
    )


def figure(picture: str, caption: str) -> str:
    """Return a figure as HTML, given its picture and its caption as HTML.

    >>> print(figure("<img>", "object 3"))
    <figure>
    <img>
    <figcaption>object 3</figcaption>
    </figure>
    """
    return f"<figure>\n{picture}\n<figcaption>{caption}</figcaption>\n</figure>"


def left_out_note(drawn: Drawn) -> list[str]:
    """Return a list with an HTML note on the images that did not fit, or an empty list if every image is shown."""
    if not drawn.left_out:
        return []
    text = f"{len(drawn.left_out)} more image(s) did not fit on a page of at most 30 MB: {', '.join(drawn.left_out)}."
    return [paragraph(text, "note")]


def check_boxes(boxes: Sequence[tuple[str, str, bool, str]]) -> str:
    """Return check boxes, as HTML, that show and hide layers on all images of the page.

    Args:
        boxes: for each box, the CSS class that it sets on `body`, the state ("on" or "off") in which it sets the class,
            True if it is initially checked, and its label as HTML.
    """
    tools = [
        f'<label><input type="checkbox" data-class="{name}" data-when="{when}"{" checked" * checked}> {text}</label>'
        for name, when, checked, text in boxes
    ]
    return "\n".join(['<div class="tools" role="group" aria-label="Show over the images">', *tools, "</div>"])
