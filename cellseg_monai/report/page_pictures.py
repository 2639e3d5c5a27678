"""Pictures of images on a page: each as large as there is room for, in a figure that the table leads to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol, TypeVar

from cellseg_monai.report.html import paragraph

__all__ = ["Drawn", "Named", "check_boxes", "draw_groups", "figure", "image_figure", "left_out_note"]

_SIDES_PX = (1400, 1000, 700, 500)  # of a picture, the first that fits


class Named(Protocol):
    """What has the name of an image."""

    @property
    def name(self) -> str:
        """Of the image."""


Shown = TypeVar("Shown", bound=Named)


@dataclass(frozen=True)
class Drawn:
    """The pictures of a page.

    Args:
        content: HTML.
        shown: the names of the images.
        left_out: those that were chosen, but found no room.
    """

    content: str
    shown: Sequence[str]
    left_out: Sequence[str]


def draw_groups(
    groups: Mapping[str, Sequence[Shown]], figures: Callable[[Shown], Callable[[int], str]], room_bytes: int
) -> Drawn:
    """The figures of images under their headings, smaller ones where room is scarce.

    Args:
        groups: images by the heading under which they stand.
        figures: reads an image, and gives what draws its figure, as HTML, with so many pixels on the longer side.
        room_bytes: what all may weigh together.
    """
    parts: list[str] = []
    shown: list[str] = []
    left_out: list[str] = []
    to_come = sum(map(len, groups.values()))
    for heading, images in groups.items():
        parts.append(f"<h3>{escape(heading)}</h3>")
        for image in images:
            drawn = _first_within(figures(image), room_bytes // to_come)
            to_come -= 1
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
    """The figure of an image, to which links lead and from which one leads back to the table.

    Args:
        name: of the image, as text.
        rank: its place among all.
        score: what stands small beside the name, as text.
        picture: as HTML.
        caption: as text.
        below: what follows the caption, as HTML.
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
    """The figure of a part of an image; its picture and caption are HTML.

    >>> print(figure("<img>", "object 3"))
    <figure>
    <img>
    <figcaption>object 3</figcaption>
    </figure>
    """
    return f"<figure>\n{picture}\n<figcaption>{caption}</figcaption>\n</figure>"


def left_out_note(drawn: Drawn) -> list[str]:
    """A paragraph on the images that found no room, as HTML, if there are any."""
    if not drawn.left_out:
        return []
    text = f"No room was left on a page of 30 MB for {len(drawn.left_out)} more: {', '.join(drawn.left_out)}."
    return [paragraph(text, "note")]


def check_boxes(boxes: Sequence[tuple[str, str, bool, str]]) -> str:
    """Boxes that show and hide what lies over the images, everywhere at once.

    Args:
        boxes: of each, the class of the body that it sets, whether "on" or "off", whether it is checked at first, and
            its text as HTML.
    """
    tools = [
        f'<label><input type="checkbox" data-class="{name}" data-when="{when}"{" checked" * checked}> {text}</label>'
        for name, when, checked, text in boxes
    ]
    return "\n".join(['<div class="tools" role="group" aria-label="Show over the images">', *tools, "</div>"])
