"""Choosing which images an evaluation report shows, and drawing them with overlays."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cellseg_monai.evaluation import Protocol
from cellseg_monai.io.display import channels_shown
from cellseg_monai.report.compared_image import ComparedImage, view_of
from cellseg_monai.report.html import escape
from cellseg_monai.report.overlay import MARKS, View, crop_corners, overlay
from cellseg_monai.report.page_pictures import Drawn, check_boxes, draw_groups, figure, image_figure

__all__ = ["chosen_overlays", "count_words", "draw_overlays", "legend"]

_OTHERS = 3  # number of typical images, and of best images
_CROP_PX, _CROP_LAYER_PX, _CROPS = 384, 640, 6
_SHRUNK_FROM = 1.1  # images reduced by more than this factor also get enlarged crops


def chosen_overlays(ordered: Sequence[ComparedImage], worst: int) -> dict[str, Sequence[ComparedImage]]:
    """Choose the images to show: the worst ones, three typical ones and the three best.

    All images are shown if there are at most six more than `worst`.

    Args:
        ordered: all images, worst first.
        worst: maximum number of worst images; 0 for no overlays at all.

    Returns:
        The images to show under each heading.
    """
    if worst == 0:
        return {}
    if len(ordered) <= worst + 2 * _OTHERS:
        return {"All images, worst first": ordered}
    middle = max(worst, len(ordered) // 2 - 1)
    middle = min(middle, len(ordered) - 2 * _OTHERS)
    return {
        f"The {worst} worst, in order": ordered[:worst],
        "Typical: around the median": ordered[middle : middle + _OTHERS],
        "The best": ordered[-_OTHERS:],
    }


def draw_overlays(
    groups: dict[str, Sequence[ComparedImage]], ranks: dict[str, int], protocol: Protocol, room_bytes: int
) -> Drawn:
    """Draw images with their overlays, reduced in size where necessary to stay within the limit.

    Args:
        groups: images to show under each heading.
        ranks: rank of each image by name; 1 is the worst.
        protocol: protocol of the evaluation.
        room_bytes: maximum total size of the overlays in bytes.
    """

    def figures(compared: ComparedImage) -> Callable[[int], str]:
        return _figures(compared, ranks[compared.name], protocol)

    return draw_groups(groups, figures, room_bytes)


def count_words(compared: ComparedImage) -> str:
    """Describe in words how many objects and mistakes an image has.

    Args:
        compared: the compared image.
    """
    outcomes = [f"{compared.found} found", *(f"{count} {kind}" for kind, count in compared.mistakes.items() if count)]
    counts = compared.evaluated.counts
    return f"{counts.true_objects} true and {counts.predicted_objects} predicted objects: {', '.join(outcomes)}"


def _figures(compared: ComparedImage, rank: int, protocol: Protocol) -> Callable[[int], str]:
    view, image = view_of(compared, protocol)
    counts = f"{count_words(compared)}."
    caption = [counts]
    if image is None:
        caption.append("The microscopy image is missing or cannot be shown.")
    elif channels := channels_shown(image):
        caption.append(f"Shown: {channels}.")
    score = f"{protocol.scores[0].image_name} {compared.score:.3f}"

    def draw(side_px: int) -> str:
        picture = overlay(view, f"{compared.name}: {counts}", side_px=side_px)
        crops = _crops(view, compared.name) if max(view.truth.shape) > _SHRUNK_FROM * side_px else ""
        return image_figure(compared.name, rank, score, picture, " ".join(caption), below=crops)

    return draw


def _crops(view: View, name: str) -> str:
    corners = crop_corners(view, side=_CROP_PX, most=_CROPS)
    figures = []
    for top, left in corners:
        place = f"{_CROP_PX} px square at row {top}, column {left}"
        part = overlay(view.crop(top, left, _CROP_PX), f"{name}: {place}", side_px=_CROP_LAYER_PX, mark_share=0.05)
        figures.append(figure(part, place))
    return '<div class="crops">\n' + "\n".join(figures) + "\n</div>" if figures else ""


def legend() -> str:
    """Return the legend for the overlays as HTML, with check boxes that show and hide the layers."""
    boxes = [
        ("no-truth", "off", True, '<span class="sample truth"></span> true outlines'),
        ("no-prediction", "off", True, '<span class="sample prediction"></span> predicted outlines'),
        ("no-marks", "off", True, "marks"),
        ("brighter", "on", False, "brighter"),
    ]
    marks = [f'<li><kbd class="mark">{mark}</kbd> {escape(meaning)}</li>' for mark, meaning in MARKS.values()]
    return "\n".join(
        [
            "<p>Solid blue: true outlines. Dashed orange: predicted outlines. Objects without a partner are tinted: "
            "blue for true objects that were not found, orange for false predictions. Marks show the kind of "
            "mistake:</p>",
            '<ul class="legend">',
            *marks,
            "</ul>",
            check_boxes(boxes),
        ]
    )
