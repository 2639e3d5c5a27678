"""All planes of a run looked at once: measures, flags, distributions, and the objects of the lowest scores."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cellseg_monai.faults import Fault
from cellseg_monai.labels import ObjectTable
from cellseg_monai.pixels import Preprocessing, network_scale
from cellseg_monai.quality import Flag, PlaneMeasures, TrainingData, flags_of, measure_plane
from cellseg_monai.report.segmented import SegmentedPlane

__all__ = ["LowObject", "Survey", "SurveyedPlane", "survey"]

_LOWEST, _OF_A_PLANE = 24, 4
_COLUMNS = ("eccentricity", "solidity", "score", "agreement")


@dataclass(frozen=True, eq=False)
class SurveyedPlane:
    """What is said of a plane.

    Args:
        plane: which.
        measures: see `PlaneMeasures`.
        score: the mean of its objects' scores; NaN without objects.
        lowest: the lowest of them.
        agreement: the mean of their agreements; NaN where there are none.
        flags: what is unusual about it.
    """

    plane: SegmentedPlane
    measures: PlaneMeasures
    score: float
    lowest: float
    agreement: float
    flags: Sequence[Flag] = ()

    @property
    def name(self) -> str:
        """Of the plane."""
        return self.plane.name


@dataclass(frozen=True, order=True)
class LowObject:
    """An object of a low score.

    Args:
        score: of it.
        name: of its plane.
        id: of it there.
        box: top, left, bottom, right.
        area_px: its pixels.
        agreement: with test-time augmentation; NaN without.
        touches_edge: whether the border of the image may have cut it.
    """

    score: float
    name: str
    id: int
    box: tuple[int, int, int, int]
    area_px: int
    agreement: float
    touches_edge: bool


@dataclass(frozen=True, eq=False)
class Survey:
    """What is said of a run.

    Args:
        planes: those of the lowest mean scores first, those without objects last.
        objects: columns over all objects, float32; `mean_NAME` of the channels among them, and `diameter_px`, which is
            the equivalent diameter at the scale of the network.
        low: the objects of the lowest scores, no more than four of a plane.
        faults: planes that cannot be shown, and why.
    """

    planes: Sequence[SurveyedPlane]
    objects: dict[str, np.ndarray]
    low: Sequence[LowObject]
    faults: Sequence[Fault]


def survey(planes: Iterable[SegmentedPlane], settings: Preprocessing, training: TrainingData | None) -> Survey:
    """Look at every plane once, one after the other.

    Args:
        planes: of a run.
        settings: how its network wants images.
        training: what the network was trained on, if that is known.
    """
    kept = _Kept()
    for plane in planes:
        try:
            with plane.opened() as opened:
                measures = measure_plane(
                    opened.window,
                    opened.labels,
                    opened.table,
                    settings,
                    channel_names=opened.image.channel_names,
                    pixel_size_um=opened.pixel_size_um,
                )
                scale = network_scale(opened.shape[1:], settings, pixel_size_um=opened.pixel_size_um)
                kept.add(plane, measures, opened.table, scale)
        except (ValueError, OSError) as error:
            kept.faults.append(Fault(plane.name, "not-shown", str(error)))
    flags = flags_of([each.measures for each in kept.planes], training, noise_floor=settings.noise_floor)
    flagged = [replace(each, flags=its) for each, its in zip(kept.planes, flags, strict=True)]
    ordered = sorted(flagged, key=lambda each: (np.isnan(each.score), each.score, each.name))
    objects = {name: np.concatenate(parts) for name, parts in kept.objects.items()}
    return Survey(ordered, objects, sorted(kept.low), kept.faults)


@dataclass(eq=False)
class _Kept:
    """What is kept of the planes: numbers alone."""

    planes: list[SurveyedPlane] = field(default_factory=list)
    objects: dict[str, list[np.ndarray]] = field(default_factory=dict)
    low: list[LowObject] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def add(self, plane: SegmentedPlane, measures: PlaneMeasures, table: ObjectTable, scale: float) -> None:
        scores = table["score"]
        agreements = table.columns.get("agreement", np.full(len(table), np.nan))
        means = [float(np.mean(each)) if len(table) else float("nan") for each in (scores, agreements)]
        lowest = float(scores.min()) if len(table) else float("nan")
        self.planes.append(SurveyedPlane(plane, measures, means[0], lowest, means[1]))
        columns = {"diameter_px": scale * table["equivalent_diameter_px"], **table.columns}
        for name in ("diameter_px", *_COLUMNS, *(f"mean_{channel}" for channel in table.channels)):
            if name in columns:
                self.objects.setdefault(name, []).append(columns[name].astype(np.float32))
        some = [
            LowObject(
                score=float(scores[at]),
                name=plane.name,
                id=int(table["id"][at]),
                box=(
                    int(table["top_px"][at]),
                    int(table["left_px"][at]),
                    int(table["bottom_px"][at]),
                    int(table["right_px"][at]),
                ),
                area_px=int(table["area_px"][at]),
                agreement=float(agreements[at]),
                touches_edge=bool(table["touches_edge"][at]),
            )
            for at in np.argsort(scores, kind="stable")[:_OF_A_PLANE]
        ]
        self.low = heapq.nsmallest(_LOWEST, [*self.low, *some])
