"""Pictures for a quality report: images with outlined objects, and crops of the objects with the lowest scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

import numpy as np

from cellseg_monai.inference.choices import choice_text
from cellseg_monai.report.html import escape
from cellseg_monai.report.overlay import outlined
from cellseg_monai.report.page_pictures import Drawn, check_boxes, draw_groups, figure, image_figure
from cellseg_monai.report.plane_view import PlaneView
from cellseg_monai.report.survey import LowObject, SurveyedPlane

__all__ = ["chosen_planes", "draw_low_objects", "draw_planes", "quality_legend", "score_text"]

_FLAGGED, _TYPICAL = 12, 3
_CROP_FACTOR = 2.5  # side of a crop as a multiple of the object's longer side
_LEAST_PX, _MOST_PX, _CROP_LAYER_PX = 96, 1024, 400


def chosen_planes(ordered: Sequence[SurveyedPlane], lowest: int) -> dict[str, Sequence[SurveyedPlane]]:
    """Choose the planes to show: the lowest scores, up to twelve other flagged planes, and three typical ones.

    Args:
        ordered: all planes, lowest scores first.
        lowest: maximum number of planes with the lowest scores; 0 for no pictures of planes.

    Returns:
        The planes to show under each heading.
    """
    if lowest == 0 or not ordered:
        return {}
    if len(ordered) <= lowest + _TYPICAL:
        return {"All images, lowest scores first": ordered}
    first, rest = ordered[:lowest], ordered[lowest:]
    flagged = [plane for plane in rest if plane.flags][:_FLAGGED]
    unflagged = [plane for plane in rest if not plane.flags]
    middle = max(0, len(unflagged) // 2 - 1)
    groups = {
        f"The {lowest} lowest scores, in order": first,
        "Other flagged images": flagged,
        "Typical: around the median, without flags": unflagged[middle : middle + _TYPICAL],
    }
    return {heading: planes for heading, planes in groups.items() if planes}


def draw_planes(
    groups: Mapping[str, Sequence[SurveyedPlane]], ranks: Mapping[str, int], low_score: float, room_bytes: int
) -> Drawn:
    """Draw planes with outlined objects, reduced in size where necessary to stay within the limit.

    Args:
        groups: planes to show under each heading.
        ranks: rank of each plane by name; 1 is the lowest score.
        low_score: score below which objects are tinted.
        room_bytes: maximum total size of the pictures in bytes.
    """

    def figures(surveyed: SurveyedPlane) -> Callable[[int], str]:
        return _figures(surveyed, ranks[surveyed.name], low_score)

    return draw_groups(groups, figures, room_bytes)


def _figures(surveyed: SurveyedPlane, rank: int, low_score: float) -> Callable[[int], str]:
    with surveyed.plane.opened() as opened:
        picture, labels = PlaneView(opened).overview()
        low = opened.table["id"][opened.table["score"] < low_score]
    flags = [f"{flag.kind[0].upper()}{flag.kind[1:]}: {flag.reason}." for flag in surveyed.flags]
    choice = surveyed.plane.choice
    seen = [f"{choice_text({**choice, 'doubts': []})}."] if choice else []
    caption = " ".join([f"{surveyed.measures.objects:,} objects.", *seen, *flags])
    score = f"score {score_text(surveyed.score)}"

    def draw(side_px: int) -> str:
        content = outlined(picture, labels, f"{surveyed.name}: {caption}", side_px=side_px, tinted=low)
        return image_figure(surveyed.name, rank, score, content, caption)

    return draw


def draw_low_objects(
    low: Sequence[LowObject], planes: Mapping[str, SurveyedPlane], ranks: Mapping[str, int], shown: Sequence[str]
) -> str:
    """Return crops around the objects with the lowest scores as HTML, lowest score first.

    Args:
        low: objects to show.
        planes: planes of the run by name.
        ranks: rank of each plane by name.
        shown: names of the planes that the page also shows in full, to which captions link.
    """
    figures: dict[LowObject, str] = {}
    for name, objects in groupby(sorted(low, key=lambda item: item.name), key=lambda item: item.name):
        with planes[name].plane.opened() as opened:
            view = PlaneView(opened)
            for item in objects:
                rows, columns = (
                    _centred(item.box[axis], item.box[axis + 2], item, opened.pixels.shape[axis + 1]) for axis in (0, 1)
                )
                picture, labels = view.crop(rows, columns)
                link = f'<a href="#image-{ranks[name]}">{escape(name)}</a>' if name in shown else escape(name)
                content = outlined(
                    picture, labels, f"{name}, object {item.id}", side_px=_CROP_LAYER_PX, tinted=np.array([item.id])
                )
                caption = f"{link}, object {item.id}: {escape(_object_facts(item, columns.stop - columns.start))}"
                figures[item] = figure(content, caption)
    return '<div class="crops">\n' + "\n".join(figures[item] for item in sorted(low)) + "\n</div>"


def _centred(first: int, last: int, low: LowObject, length: int) -> slice:
    """Return the extent of a crop along one axis, centred on the object unless it is too close to the image border.

    Args:
        first: index of the object's first pixel along the axis.
        last: index after the object's last pixel along the axis.
        low: the object; its longer side determines the size of the crop.
        length: length of the image along the axis, in pixels.
    """
    top, left, bottom, right = low.box
    side = int(min(max(_CROP_FACTOR * max(bottom - top, right - left), _LEAST_PX), _MOST_PX, length))
    start = min(max((first + last - side) // 2, 0), length - side)
    return slice(start, start + side)


def _object_facts(low: LowObject, side_px: int) -> str:
    agreement = "" if np.isnan(low.agreement) else f", agreement {low.agreement:.3f}"
    edge = ", touches the border" if low.touches_edge else ""
    return f"score {low.score:.3f}{agreement}, {low.area_px:,} px{edge}; {side_px} px across"


def score_text(score: float) -> str:
    """Format a score with three decimals, or as "none" if it is NaN.

    >>> score_text(0.93333), score_text(float("nan"))
    ('0.933', 'none')
    """
    return "none" if np.isnan(score) else f"{score:.3f}"


def quality_legend() -> str:
    """Return check boxes, as HTML, that show and hide outlines and brighten the pictures."""
    boxes = [
        ("no-prediction", "off", True, "outlines and tints"),
        ("brighter", "on", False, "brighter"),
    ]
    return check_boxes(boxes)
