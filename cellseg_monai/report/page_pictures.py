"""Pictures of images on a page: each as large as room allows, in a figure that the table links to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol, TypeVar

from cellseg_monai.report.html import paragraph

__all__ = ["Drawn", "Named", "check_boxes", "draw_groups", "figure", "image_figure", "left_out_note"]

_SIDES_PX = (1400, 1000, 700, 500)  # longer side of a picture; the first that fits is taken


class Named(Protocol):
    """An object with the name of an image."""

    @property
    def name(self) -> str:
        """The name of the image."""


Shown = TypeVar("Shown", bound=Named)


@dataclass(frozen=True)
class Drawn:
    """The pictures of a page.

    Args:
        content: the pictures, as HTML.
        shown: names of the images that are shown.
        left_out: names of the images that were chosen but for which no room was left.
    """

    content: str
    shown: Sequence[str]
    left_out: Sequence[str]


def draw_groups(
    groups: Mapping[str, Sequence[Shown]], figures: Callable[[Shown], Callable[[int], str]], room_bytes: int
) -> Drawn:
    """Draw the figures of images under their headings, smaller if room is scarce.

    Args:
        groups: images by the heading under which they are shown.
        figures: reads an image, and returns a function from a longer side in pixels to the figure as HTML.
        room_bytes: maximum size of all figures together.
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
    """Return the figure of an image, which the table links to and which links back to the table.

    Args:
        name: name of the image, as text.
        rank: rank of the image among all, from 1.
        score: score of the image, shown in small print after the name, as text.
        picture: picture of the image, as HTML.
        caption: caption below the picture, as text.
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
    """Return the figure of a part of an image; its picture and caption are HTML.

    >>> print(figure("<img>", "object 3"))
    <figure>
    <img>
    <figcaption>object 3</figcaption>
    </figure>
    """
    return f"<figure>\n{picture}\n<figcaption>{caption}</figcaption>\n</figure>"


def left_out_note(drawn: Drawn) -> list[str]:
    """Return a paragraph, as HTML, about the images for which no room was left; an empty list if all are shown."""
    if not drawn.left_out:
        return []
    text = f"No room was left on a page of 30 MB for {len(drawn.left_out)} more: {', '.join(drawn.left_out)}."
    return [paragraph(text, "note")]


def check_boxes(boxes: Sequence[tuple[str, str, bool, str]]) -> str:
    """Return check boxes that show and hide layers over all images of the page.

    Args:
        boxes: for each box, the class of `body` that it sets, "on" or "off" for the state in which it sets the class,
            True if it is checked at first, and its label as HTML.
    """
    tools = [
        f'<label><input type="checkbox" data-class="{name}" data-when="{when}"{" checked" * checked}> {text}</label>'
        for name, when, checked, text in boxes
    ]
    return "\n".join(['<div class="tools" role="group" aria-label="Show over the images">', *tools, "</div>"])
