"""Which images a report shows, and their overlays within what a page may weigh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from cellseg_monai.evaluation import Protocol
from cellseg_monai.io.display import channels_shown
from cellseg_monai.report.compared import ComparedImage, view_of
from cellseg_monai.report.overlay import MARKS, View, crop_corners, overlay

__all__ = ["Overlays", "check_boxes", "chosen_overlays", "count_words", "draw_overlays", "legend"]

_OTHERS = 3  # typical ones, and best ones
_SIDES_PX = (1400, 1000, 700, 500)  # of an overlay, the first that fits
_CROP_PX, _CROP_LAYER_PX, _CROPS = 384, 640, 6
_SHRUNK_FROM = 1.1  # an image so many times larger than its overlay gets crops as well


@dataclass(frozen=True)
class Overlays:
    """The overlays of a report.

    Args:
        content: HTML.
        shown: the names of the images.
        left_out: those that were chosen, but found no room.
    """

    content: str
    shown: Sequence[str]
    left_out: Sequence[str]


def chosen_overlays(ordered: Sequence[ComparedImage], worst: int) -> dict[str, Sequence[ComparedImage]]:
    """The images to show under their headings: the worst, and three typical and three best ones if there are more.

    Args:
        ordered: all, the worst first.
        worst: how many of these at most; 0 for no overlays at all.
    """
    if worst == 0:
        return {}
    if len(ordered) <= worst + 2 * _OTHERS:
        return {"All images, the worst first": ordered}
    middle = max(worst, len(ordered) // 2 - 1)
    middle = min(middle, len(ordered) - 2 * _OTHERS)
    return {
        f"The {worst} worst, the very worst first": ordered[:worst],
        "Typical: around the median": ordered[middle : middle + _OTHERS],
        "The best": ordered[-_OTHERS:],
    }


def draw_overlays(
    groups: dict[str, Sequence[ComparedImage]], ranks: dict[str, int], protocol: Protocol, room_bytes: int
) -> Overlays:
    """The overlays of these images, smaller ones where room is scarce.

    Args:
        groups: images by the heading under which they stand.
        ranks: of every image, its place among all, the worst being 1.
        protocol: under which they were compared.
        room_bytes: what all may weigh together.
    """
    parts: list[str] = []
    shown: list[str] = []
    left_out: list[str] = []
    to_come = sum(map(len, groups.values()))
    for heading, images in groups.items():
        parts.append(f"<h3>{escape(heading)}</h3>")
        for compared in images:
            figure = _figure_within(compared, ranks[compared.name], protocol, room_bytes // to_come)
            to_come -= 1
            if figure is None:
                left_out.append(compared.name)
                continue
            parts.append(figure)
            shown.append(compared.name)
            room_bytes -= len(figure)
    return Overlays("\n".join(parts), shown, left_out)


def count_words(compared: ComparedImage) -> str:
    """What was found and what went wrong, in words.

    Args:
        compared: the image.
    """
    told = [f"{compared.found} found", *(f"{count} {kind}" for kind, count in compared.mistakes.items() if count)]
    counts = compared.evaluated.counts
    return f"{counts.true_objects} true and {counts.predicted_objects} predicted objects: {', '.join(told)}"


def _figure_within(compared: ComparedImage, rank: int, protocol: Protocol, room_bytes: int) -> str | None:
    view, image = view_of(compared, protocol)
    about = [f"{count_words(compared)}."]
    if image is None:
        about.append("The image itself is missing or cannot be shown.")
    elif told := channels_shown(image):
        about.append(f"Shown: {told}.")
    for side_px in _SIDES_PX:
        content = overlay(view, f"{compared.name}: {about[0]}", side_px=side_px)
        crops = _crops(view, compared.name) if max(view.truth.shape) > _SHRUNK_FROM * side_px else ""
        figure = _figure(compared, rank, protocol.scores[0].name, content, " ".join(about), crops)
        if len(figure) <= room_bytes:
            return figure
    return None


def _figure(compared: ComparedImage, rank: int, score: str, content: str, about: str, crops: str) -> str:
    return "\n".join(
        [
            f'<figure id="image-{rank}">',
            f"<h4>{rank}. {escape(compared.name)} <small>{escape(score)} {compared.score:.3f}</small></h4>",
            content,
            f'<figcaption>{escape(about)} <a class="back" href="#images">Back to the table</a></figcaption>',
            crops,
            "</figure>",
        ]
    )


def _crops(view: View, name: str) -> str:
    corners = crop_corners(view, side=_CROP_PX, most=_CROPS)
    figures = []
    for top, left in corners:
        place = f"{_CROP_PX} pixels from row {top}, column {left}"
        part = overlay(view.crop(top, left, _CROP_PX), f"{name}: {place}", side_px=_CROP_LAYER_PX, mark_share=0.05)
        figures.append(f"<figure>\n{part}\n<figcaption>{place}</figcaption>\n</figure>")
    return '<div class="crops">\n' + "\n".join(figures) + "\n</div>" if figures else ""


def legend() -> str:
    """How overlays are read, with the boxes that show and hide what lies over the images."""
    boxes = [
        ("no-truth", "off", True, '<span class="sample truth"></span> true outlines'),
        ("no-prediction", "off", True, '<span class="sample prediction"></span> predicted outlines'),
        ("no-marks", "off", True, "marks"),
        ("brighter", "on", False, "brighter"),
    ]
    marks = [f'<li><kbd class="mark">{mark}</kbd> {escape(meaning)}</li>' for mark, meaning in MARKS.values()]
    return "\n".join(
        [
            "<p>Solid blue: true outlines. Dashed orange: predicted outlines. Tinted: objects without a partner, blue "
            "where a true one was not found, orange where a predicted one is false. A mark stands above each "
            "mistake:</p>",
            '<ul class="legend">',
            *marks,
            "</ul>",
            check_boxes(boxes),
        ]
    )


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
