"""Surveying the planes of a segmentation run: measures, flags, and the objects with the lowest scores."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cellseg_monai.faults import Fault
from cellseg_monai.inference.choices import doubts_of_choice
from cellseg_monai.labels import ObjectTable
from cellseg_monai.pixels import network_scale
from cellseg_monai.quality import Flag, PlaneMeasures, flags_of, measure_plane
from cellseg_monai.report.segmented_plane import SegmentedPlane
from cellseg_monai.report.used_bundles import UsedBundles

__all__ = ["LowObject", "Survey", "SurveyedPlane", "survey"]

_LOWEST, _PER_PLANE = 24, 4  # maximum number of low-scoring objects in total and per plane
_COLUMNS = ("eccentricity", "solidity", "score", "agreement")


@dataclass(frozen=True, eq=False)
class SurveyedPlane:
    """A plane and the facts that a report gives about it.

    Args:
        plane: files of the plane.
        measures: measures of the whole plane, such as its sharpness.
        score: mean score of the objects; NaN if there are none.
        lowest: lowest score of any object; NaN if there are none.
        agreement: mean agreement of the objects; NaN if there are none or the run used no test-time augmentation.
        flags: flags raised for the plane.
    """

    plane: SegmentedPlane
    measures: PlaneMeasures
    score: float
    lowest: float
    agreement: float
    flags: Sequence[Flag] = ()

    @property
    def name(self) -> str:
        """The name of the plane."""
        return self.plane.name


@dataclass(frozen=True, order=True)
class LowObject:
    """An object with a low score.

    Args:
        score: score of the object.
        name: name of the plane that contains the object.
        id: id of the object in the plane's label image.
        box: top, left, bottom and right of the object in pixels; bottom and right are exclusive.
        area_px: area in pixels.
        agreement: agreement under test-time augmentation; NaN if the run used none.
        touches_edge: True if the object touches the border of the image.
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
    """The facts that a report gives about a run.

    Args:
        planes: all planes, lowest mean scores first; planes without objects come last.
        objects: float32 columns by name, over the objects in all planes. `diameter_px` is the equivalent diameter at
            the scale of the network. `mean_NAME` is the mean intensity in channel NAME.
        low: the objects with the lowest scores, at most four per plane.
        faults: one fault for every plane that cannot be shown.
    """

    planes: Sequence[SurveyedPlane]
    objects: dict[str, np.ndarray]
    low: Sequence[LowObject]
    faults: Sequence[Fault]


def survey(planes: Iterable[SegmentedPlane], bundles: UsedBundles) -> Survey:
    """Read the planes of a run one at a time, each exactly once, and measure those that the run did not measure.

    Planes are compared with the training data of the bundle that segmented them, and with the other planes that it
    segmented.

    Args:
        planes: planes of the run.
        bundles: the bundles that segmented them.
    """
    collected = _Collected()
    for plane in planes:
        settings = bundles.settings(plane.choice)
        try:
            with plane.opened() as opened:
                measures = plane.measures or measure_plane(
                    opened.pixels.window,
                    opened.labels,
                    opened.table,
                    settings,
                    channel_names=opened.pixels.image.channel_names,
                    pixel_size_um=opened.pixel_size_um,
                )
                scale = network_scale(opened.pixels.shape[1:], settings, pixel_size_um=opened.pixel_size_um)
                collected.add(plane, measures, opened.table, scale)
        except (ValueError, OSError) as error:
            collected.faults.append(Fault(plane.name, "not-shown", str(error)))
    flagged = [plane for group in _by_bundle(collected.planes) for plane in _flagged(group, bundles)]
    ordered = sorted(flagged, key=lambda surveyed: (np.isnan(surveyed.score), surveyed.score, surveyed.name))
    objects = {name: np.concatenate(parts) for name, parts in collected.objects.items()}
    return Survey(ordered, objects, sorted(collected.low), collected.faults)


def _by_bundle(planes: Sequence[SurveyedPlane]) -> Iterable[Sequence[SurveyedPlane]]:
    """Return the planes that each bundle segmented."""
    groups: dict[str, list[SurveyedPlane]] = {}
    for surveyed in planes:
        groups.setdefault(surveyed.plane.choice.get("bundle", ""), []).append(surveyed)
    return groups.values()


def _flagged(planes: Sequence[SurveyedPlane], bundles: UsedBundles) -> Iterator[SurveyedPlane]:
    """Yield planes that one bundle segmented, with their flags."""
    settings, training = bundles.settings(planes[0].plane.choice), bundles.training(planes[0].plane.choice)
    all_flags = flags_of(
        [surveyed.measures for surveyed in planes],
        training,
        noise_floor=settings.noise_floor,
        is_colour=settings.channels == "rgb",
    )
    for surveyed, flags in zip(planes, all_flags, strict=True):
        yield replace(surveyed, flags=[*doubts_of_choice(surveyed.plane.choice), *flags])


@dataclass(eq=False)
class _Collected:
    """Numbers collected from the planes so far; pixels are not kept."""

    planes: list[SurveyedPlane] = field(default_factory=list)
    objects: dict[str, list[np.ndarray]] = field(default_factory=dict)
    low: list[LowObject] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def add(self, plane: SegmentedPlane, measures: PlaneMeasures, table: ObjectTable, scale: float) -> None:
        scores = table["score"]
        agreements = table.columns.get("agreement", np.full(len(table), np.nan))
        means = [float(np.mean(values)) if len(table) else float("nan") for values in (scores, agreements)]
        lowest = float(scores.min()) if len(table) else float("nan")
        self.planes.append(SurveyedPlane(plane, measures, means[0], lowest, means[1]))
        columns = {"diameter_px": scale * table["equivalent_diameter_px"], **table.columns}
        for name in ("diameter_px", *_COLUMNS, *(f"mean_{channel}" for channel in table.channels)):
            if name in columns:
                self.objects.setdefault(name, []).append(columns[name].astype(np.float32))
        lowest_of_plane = [
            LowObject(
                score=float(scores[row]),
                name=plane.name,
                id=int(table["id"][row]),
                box=(
                    int(table["top_px"][row]),
                    int(table["left_px"][row]),
                    int(table["bottom_px"][row]),
                    int(table["right_px"][row]),
                ),
                area_px=int(table["area_px"][row]),
                agreement=float(agreements[row]),
                touches_edge=bool(table["touches_edge"][row]),
            )
            for row in np.argsort(scores, kind="stable")[:_PER_PLANE]
        ]
        self.low = heapq.nsmallest(_LOWEST, [*self.low, *lowest_of_plane])
