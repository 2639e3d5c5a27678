"""A look at an image: what it shows, and which bundle suits it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellseg_monai.atomic import replacing
from cellseg_monai.flag import Flag
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.scouting.doubts import differences_between, doubts_about
from cellseg_monai.scouting.kinds import KINDS, NONE
from cellseg_monai.scouting.sighting import Sighting, middling
from cellseg_monai.scouting.suited import suited, takes_size, tries_sizes
from cellseg_monai.spreadsheets import writing_table

__all__ = ["HEADS", "Look", "json_of_looks", "look_of", "write_looks"]


@dataclass(frozen=True)
class Look:
    """A scout's answer about an image, with the bundle that suits the image.

    Args:
        image: path or name of the image.
        sighting: what the image shows.
        pixel_size_um: height and width of a pixel in µm, or None if unknown.
        bundle: name of the bundle that suits the image best; None if there is none.
        zoom: factor by which the bundle would scale the image; None to keep its size, or if sizes would be tried.
        tries_sizes: True if the bundle would try a few sizes on a window of the image.
        invert: True if the image would be inverted, because its objects are dark.
        doubts: what is doubtful about this.
    """

    image: str
    sighting: Sighting
    pixel_size_um: tuple[float, float] | None = None
    bundle: str | None = None
    zoom: float | None = None
    tries_sizes: bool = False
    invert: bool = False
    doubts: tuple[Flag, ...] = ()

    @property
    def kind(self) -> str:
        """The likeliest of `scouting.KINDS`."""
        return self.sighting.kind

    @property
    def diameter_px(self) -> float:
        """Typical diameter of the objects in pixels of the image."""
        return self.sighting.diameter_px

    @property
    def diameter_um(self) -> float | None:
        """Typical diameter of the objects in µm, or None if the pixel size is unknown."""
        return None if self.pixel_size_um is None else self.diameter_px * math.sqrt(math.prod(self.pixel_size_um))

    def to_mapping(self) -> dict[str, Any]:
        """Return everything as plain data, one value a name, for a row of a table or for JSON."""
        low, high = self.sighting.interval_px
        diameter_um = self.diameter_um
        return {
            "image": self.image,
            "kind": self.kind,
            "probability": round(self.sighting.probability, 4),
            "diameter_px": round(self.diameter_px, 2),
            "diameter_px_low": round(low, 2),
            "diameter_px_high": round(high, 2),
            "diameter_um": None if diameter_um is None else float(f"{diameter_um:.4g}"),
            "dark_objects": round(self.sighting.dark, 4),
            "bundle": self.bundle,
            "zoom": None if self.zoom is None else round(self.zoom, 4),
            "tries_sizes": self.tries_sizes,
            "invert": self.invert,
            "doubts": "; ".join(f"{doubt.kind}: {doubt.reason}" for doubt in self.doubts),
            **{f"probability_{kind}": round(value, 4) for kind, value in self.sighting.probabilities.items()},
        }

    def cells(self) -> tuple[str, ...]:
        """Return kind, certainty, diameter, polarity and suggestion as short texts, for a table on a terminal."""
        low, high = self.sighting.interval_px
        size_um = "" if self.diameter_um is None else f", {self.diameter_um:.3g} µm"
        is_none = self.kind == NONE
        scale = "" if self.zoom is None else f" at {self.zoom:.2g}×"
        channel = "" if self.sighting.channel is None else f", channel {self.sighting.channel}"
        tried = ", sizes would be tried" if self.tries_sizes else ""
        how = f"{scale}{tried}{', inverted' if self.invert else ''}{channel}"
        doubts = f" ({', '.join(doubt.kind for doubt in self.doubts)})" if self.doubts else ""
        return (
            KINDS[self.kind].text,
            f"{100 * self.sighting.probability:.0f} %",
            "" if is_none else f"{self.diameter_px:.0f} px ({low:.0f} to {high:.0f}){size_um}",
            "" if is_none else "dark" if self.sighting.is_dark else "bright",
            f"{self.bundle or 'no bundle'}{how}{doubts}",
        )


HEADS = ("shows", "sure", "diameter", "objects", "suggestion")
"""Heads of the columns of `Look.cells`."""


def look_of(
    image: str,
    sightings: Sequence[Sighting],
    bundles: Mapping[str, Preprocessing],
    pixel_size_um: tuple[float, float] | None = None,
) -> Look:
    """Combine what planes of an image show, and find the bundle that suits it best.

    Args:
        image: path or name of the image.
        sightings: what the planes show that were looked at; at least one.
        bundles: the bundles to choose from, with their preparations of images.
        pixel_size_um: height and width of a pixel in µm, or None if unknown.
    """
    sighting = middling(sightings)
    bundle = sighting.nearest_bundle(bundles)
    own = Preprocessing() if bundle is None else bundles[bundle]
    is_tried = bundle is not None and tries_sizes(own, sighting)
    settings = own if bundle is None else suited(own, sighting)
    return Look(
        image=image,
        sighting=sighting,
        pixel_size_um=pixel_size_um,
        bundle=bundle,
        zoom=None if is_tried else settings.zoom,
        tries_sizes=is_tried,
        invert=settings.invert,
        doubts=(
            *doubts_about(
                sighting,
                bundle,
                needs_size=bundle is None or takes_size(own),
                needs_polarity=own.polarity != "any",
            ),
            *differences_between(sightings, [one.nearest_bundle(bundles) for one in sightings]),
        ),
    )


def json_of_looks(looks: Sequence[Look]) -> str:
    """Return what is seen in images as JSON: a list with an object for each image."""
    return json.dumps([look.to_mapping() for look in looks], indent=2, allow_nan=False)


def write_looks(path: Path, looks: Sequence[Look]) -> None:
    """Write what is seen in images to a table, or to JSON if the name ends with .json."""
    if path.suffix.lower() == ".json":
        with replacing(path) as aside:
            aside.write_text(json_of_looks(looks) + "\n", encoding="utf-8")
        return
    rows = [look.to_mapping() for look in looks]
    with writing_table(path, rows[0] if rows else ["image"]) as table:
        for row in rows:
            table.write(row.values())
