"""How the pipeline of an image was chosen, as it stands in the record of a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cellseg_monai.flag import Flag
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.quality import FLAGS
from cellseg_monai.scouting import KINDS, Sighting
from cellseg_monai.scouting.suited import of_channel

__all__ = [
    "check_choice",
    "choice_of",
    "choice_text",
    "choices_text",
    "doubts_of_choice",
    "settings_of_choice",
    "sighting_of_choice",
]

_NUMBERS = ("probability", "diameter_px", "spread", "dark")
_SEVERITIES = ("note", "warning", "serious")


def choice_of(
    bundle: str,
    sighting: Sighting,
    preprocess: Preprocessing,
    doubts: Sequence[Flag] = (),
    *,
    tried: int = 0,
    given_px: float | None = None,
) -> dict[str, Any]:
    """Return how the pipeline of an image was chosen, as a dictionary for `run.json`.

    Args:
        bundle: name of the bundle.
        sighting: what a scout saw in the image.
        preprocess: how the image is prepared.
        doubts: what is doubtful about the choice.
        tried: number of sizes that were tried on a window of the image.
        given_px: diameter of the objects that the user gave, in pixels of the image, if it was used.
    """
    return {
        "bundle": bundle,
        "kind": sighting.kind,
        "probability": round(sighting.probability, 4),
        "diameter_px": round(sighting.diameter_px, 2),
        "spread": round(sighting.spread, 3),
        "dark": round(sighting.dark, 3),
        "zoom": preprocess.zoom,
        "invert": preprocess.invert,
        **({} if sighting.channel is None else {"channel": sighting.channel}),
        **({"tried": tried} if tried else {}),
        **({} if given_px is None else {"given_px": given_px}),
        **(
            {"doubts": [{"kind": flag.kind, "severity": flag.severity, "reason": flag.reason} for flag in doubts]}
            if doubts
            else {}
        ),
    }


def choice_text(choice: Mapping[str, Any]) -> str:
    """Describe how the pipeline of an image was chosen, in one line.

    Args:
        choice: from `choice_of`.

    >>> seen = {"kind": "fluorescence_nuclei", "diameter_px": 95.2, "bundle": "nuclei", "zoom": 0.294, "invert": False}
    >>> choice_text(seen)
    'nuclei in fluorescence, about 95 px → nuclei at 0.29×'
    >>> choice_text({**seen, "tried": 4, "doubts": [{"kind": "uncertain size"}]})
    'nuclei in fluorescence, about 95 px (tried 4 sizes) → nuclei at 0.29×; uncertain size'
    """
    scale = "" if choice["zoom"] is None else f" at {choice['zoom']:.2g}×"
    inverted = ", inverted" if choice["invert"] else ""
    channel = f", channel {choice['channel']}" if "channel" in choice else ""
    tried = f" (tried {choice['tried']} sizes)" if choice.get("tried") else ""
    doubts = "".join(f"; {doubt['kind']}" for doubt in choice.get("doubts", ()))
    size = f"about {choice['diameter_px']:.0f} px{tried}"
    if "given_px" in choice:
        size = f"given as {choice['given_px']:g} px (seen: {size})"
    return f"{KINDS[choice['kind']].text}, {size} → {choice['bundle']}{scale}{inverted}{channel}{doubts}"


def choices_text(choices: Sequence[Mapping[str, Any]]) -> str:
    """Describe how the pipelines of the planes of an image were chosen, in one line.

    Args:
        choices: one from `choice_of` for each plane; at least one.

    >>> small = {"kind": "fluorescence_nuclei", "diameter_px": 8, "bundle": "nuclei", "zoom": 2.5, "invert": False}
    >>> choices_text([small, {**small, "diameter_px": 32.2, "zoom": None, "tried": 4}])
    '2 planes differ: nuclei in fluorescence, about 8 to 32 px (tried sizes in 1) → nuclei at 1 to 2.5×'
    """
    if len(set(map(choice_text, choices))) == 1:
        return choice_text(choices[0])
    kinds = _listed(KINDS[choice["kind"]].text for choice in choices)
    sizes = _range(sorted(choice["diameter_px"] for choice in choices), ".0f")
    tried, inverted = (sum(bool(choice.get(name)) for choice in choices) for name in ("tried", "invert"))
    zooms = sorted({1.0 if choice["zoom"] is None else choice["zoom"] for choice in choices})
    scale = "" if all(choice["zoom"] is None for choice in choices) else f" at {_range(zooms, '.2g')}×"
    doubts = [doubt["kind"] for choice in choices for doubt in choice.get("doubts", ())]
    counts = {kind: doubts.count(kind) for kind in dict.fromkeys(doubts) if kind != "planes differ"}
    channels = _listed(choice["channel"] for choice in choices if "channel" in choice)
    more = [
        f", {inverted} inverted" if inverted else "",
        f", channel {channels}" if channels else "",
        *(f"; {kind} in {count}" for kind, count in counts.items()),
    ]
    size = f"about {sizes} px{f' (tried sizes in {tried})' if tried else ''}"
    if "given_px" in choices[0]:
        size = f"given as {choices[0]['given_px']:g} px (seen: {size})"
    bundles = _listed(choice["bundle"] for choice in choices)
    return f"{len(choices)} planes differ: {kinds}, {size} → {bundles}{scale}{''.join(more)}"


def _listed(names: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(names))


def _range(numbers: Sequence[float], spec: str) -> str:
    """Return the first and the last of some sorted numbers as text."""
    return " to ".join(dict.fromkeys((format(numbers[0], spec), format(numbers[-1], spec))))


def sighting_of_choice(choice: Mapping[str, Any]) -> Sighting:
    """Return what the scout saw when a choice was made, as far as the record says."""
    return Sighting(
        kind=choice["kind"],
        probabilities={choice["kind"]: choice["probability"]},
        diameter_px=choice["diameter_px"],
        spread=choice["spread"],
        dark=choice["dark"],
        channel=choice.get("channel"),
    )


def doubts_of_choice(choice: Mapping[str, Any]) -> tuple[Flag, ...]:
    """Return what was doubtful about a choice."""
    return tuple(Flag(doubt["kind"], doubt["reason"], doubt["severity"]) for doubt in choice.get("doubts", ()))


def settings_of_choice(preprocess: Preprocessing, choice: Mapping[str, Any]) -> Preprocessing:
    """Return the preparation of an image for which a choice was made.

    Args:
        preprocess: preparation that the chosen bundle records.
        choice: from `choice_of`; empty for the preparation of the bundle.
    """
    if not choice:
        return preprocess
    scaled = preprocess if choice["zoom"] is None else preprocess.at_zoom(choice["zoom"])
    return of_channel(replace(scaled, invert=choice["invert"]), choice.get("channel"))


def check_choice(choice: object) -> None:
    """Check the types in a choice that was read from a file.

    Raises:
        ValueError: a value is missing or has the wrong type.
    """
    if not isinstance(choice, dict):
        raise ValueError(f"a choice is {choice!r}, expected an object")
    zoom, tried, doubts = choice.get("zoom"), choice.get("tried", 0), choice.get("doubts", [])
    given_px, channel = choice.get("given_px", 1), choice.get("channel", "")
    are_valid = {
        "bundle": isinstance(choice.get("bundle"), str),
        "kind": choice.get("kind") in KINDS,
        **{name: _is_number(choice.get(name)) for name in _NUMBERS},
        "zoom": zoom is None or (_is_number(zoom) and zoom > 0),
        "invert": isinstance(choice.get("invert"), bool),
        "given_px": _is_number(given_px) and given_px > 0,
        "channel": isinstance(channel, str),
        "tried": type(tried) is int and tried >= 0,
        "doubts": isinstance(doubts, list) and all(map(_is_doubt, doubts)),
    }
    for name, is_valid in are_valid.items():
        if not is_valid:
            raise ValueError(f"a choice has {name} {choice.get(name)!r:.50}, which no run writes")


def _is_doubt(doubt: object) -> bool:
    return (
        isinstance(doubt, dict)
        and isinstance(doubt.get("kind"), str)
        and doubt["kind"] in FLAGS
        and isinstance(doubt.get("reason"), str)
        and doubt.get("severity") in _SEVERITIES
    )


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
