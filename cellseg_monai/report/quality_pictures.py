"""The pictures of a report without truth: images with their outlines, and the objects of the lowest scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import groupby

import numpy as np

from cellseg_monai.report.overlay import outlined
from cellseg_monai.report.page_pictures import Drawn, check_boxes, draw_groups, figure, image_figure
from cellseg_monai.report.plane_view import PlaneView
from cellseg_monai.report.survey import LowObject, SurveyedPlane

__all__ = ["chosen_planes", "draw_low_objects", "draw_planes", "quality_legend", "told_score"]

_FLAGGED, _TYPICAL = 12, 3
_AROUND, _LEAST_PX, _MOST_PX, _CROP_LAYER_PX = 2.5, 96, 1024, 400


def chosen_planes(ordered: Sequence[SurveyedPlane], lowest: int) -> dict[str, Sequence[SurveyedPlane]]:
    """The planes to show under their headings: those of the lowest scores, others with a flag, three typical ones.

    Args:
        ordered: all, the lowest scores first.
        lowest: how many of these at most; 0 for no pictures at all.
    """
    if lowest == 0 or not ordered:
        return {}
    if len(ordered) <= lowest + _TYPICAL:
        return {"All images, the lowest scores first": ordered}
    first, rest = ordered[:lowest], ordered[lowest:]
    flagged = [each for each in rest if each.flags][:_FLAGGED]
    plain = [each for each in rest if not each.flags]
    middle = max(0, len(plain) // 2 - 1)
    groups = {
        f"The {lowest} lowest scores, the very lowest first": first,
        "Others with a flag": flagged,
        "Typical: around the middle, without a flag": plain[middle : middle + _TYPICAL],
    }
    return {heading: planes for heading, planes in groups.items() if planes}


def draw_planes(
    groups: Mapping[str, Sequence[SurveyedPlane]], ranks: Mapping[str, int], low_score: float, room_bytes: int
) -> Drawn:
    """The images with their outlines, smaller where room is scarce.

    Args:
        groups: planes by the heading under which they stand.
        ranks: of every plane, its place among all, the lowest score being 1.
        low_score: objects below it are tinted.
        room_bytes: what all may weigh together.
    """

    def figures(surveyed: SurveyedPlane) -> Callable[[int], str]:
        return _figures(surveyed, ranks[surveyed.name], low_score)

    return draw_groups(groups, figures, room_bytes)


def _figures(surveyed: SurveyedPlane, rank: int, low_score: float) -> Callable[[int], str]:
    with surveyed.plane.opened() as opened:
        picture, labels = PlaneView(opened).overview()
        low = opened.table["id"][opened.table["score"] < low_score]
    flags = [f"{flag.kind[0].upper()}{flag.kind[1:]}: {flag.reason}." for flag in surveyed.flags]
    about = " ".join([f"{surveyed.measures.objects:,} objects.", *flags])
    score = f"score {told_score(surveyed.score)}"

    def draw(side_px: int) -> str:
        content = outlined(picture, labels, f"{surveyed.name}: {about}", side_px=side_px, tinted=low)
        return image_figure(surveyed.name, rank, score, content, about)

    return draw


def draw_low_objects(
    low: Sequence[LowObject], planes: Mapping[str, SurveyedPlane], ranks: Mapping[str, int], shown: Sequence[str]
) -> str:
    """The objects of the lowest scores, each in the middle of a part of its image, the lowest first.

    Args:
        low: the objects.
        planes: by their names.
        ranks: of the planes.
        shown: names of the planes that are shown as a whole.
    """
    figures: dict[LowObject, str] = {}
    for name, its in groupby(sorted(low, key=lambda each: each.name), key=lambda each: each.name):
        with planes[name].plane.opened() as opened:
            view = PlaneView(opened)
            for each in its:
                rows, columns = (
                    _around(each.box[axis], each.box[axis + 2], each, opened.shape[axis + 1]) for axis in (0, 1)
                )
                picture, labels = view.crop(rows, columns)
                link = f'<a href="#image-{ranks[name]}">{escape(name)}</a>' if name in shown else escape(name)
                content = outlined(
                    picture, labels, f"{name}, object {each.id}", side_px=_CROP_LAYER_PX, tinted=np.array([each.id])
                )
                caption = f"{link}, object {each.id}: {escape(_told(each, columns.stop - columns.start))}"
                figures[each] = figure(content, caption)
    return '<div class="crops">\n' + "\n".join(figures[each] for each in sorted(low)) + "\n</div>"


def _around(first: int, last: int, low: LowObject, length: int) -> slice:
    """The object in the middle, with as much around it as its own size; within the image."""
    top, left, bottom, right = low.box
    side = int(min(max(_AROUND * max(bottom - top, right - left), _LEAST_PX), _MOST_PX, length))
    start = min(max((first + last - side) // 2, 0), length - side)
    return slice(start, start + side)


def _told(low: LowObject, side_px: int) -> str:
    agreement = "" if np.isnan(low.agreement) else f", agreement {low.agreement:.3f}"
    edge = ", at the border" if low.touches_edge else ""
    return f"score {low.score:.3f}{agreement}, {low.area_px:,} px{edge}; {side_px} px across"


def told_score(score: float) -> str:
    """A score in words.

    >>> told_score(0.93333), told_score(float("nan"))
    ('0.933', 'none')
    """
    return "none" if np.isnan(score) else f"{score:.3f}"


def quality_legend() -> str:
    """How pictures are read, with the boxes that show and hide what lies over them."""
    boxes = [
        ("no-prediction", "off", True, "outlines and tints"),
        ("brighter", "on", False, "brighter"),
    ]
    return check_boxes(boxes)
