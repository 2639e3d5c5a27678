"""The fingerprint of a run: everything its results depend on, recorded in `run.json` so that runs can be compared."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from cellseg_monai._version import __version__
from cellseg_monai.inference.job import Job

__all__ = ["about_job", "differences"]


def about_job(job: Job, device: str) -> dict[str, Any]:
    """Return everything on which the results depend, as a dictionary for `run.json`.

    The batch size is left out because it depends on the available memory, and affects results only by rounding. The GPU
    model is left out because a run can be resumed on whichever GPU a queue assigns.

    Args:
        job: the job to describe.
        device: where the network runs, such as "cpu" or "cuda:1"; only the kind of device is recorded.
    """
    about = {
        "cellseg_monai": __version__,
        **job.pipeline.about(),
        "device": device.split(":")[0],
        "exports": job.exports,
        "axes": job.reading.axes,
        "pixel_size_um": job.reading.pixel_size_um,
    }
    return dict(json.loads(json.dumps(about)))  # as it would be read back from a file: tuples become lists


def differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, str]:
    """Return the entries in which two runs differ, as descriptions of the change, keyed by the names of the entries.

    Args:
        was: fingerprint of the earlier run, from `about_job`.
        now: fingerprint of the later run.

    >>> differences({"tiles": {"size": [64, 64], "overlap": 8}}, {"tiles": {"size": [32, 32], "overlap": 8}})
    {'tiles.size': 'was [64, 64] and is now [32, 32]'}
    """
    if "head" not in was:  # older run.json files lack it, because each bundle then had a fixed head
        now = {name: value for name, value in now.items() if name != "head"}
    before, after = dict(_flat(was)), dict(_flat(now))
    changed = {
        name: f"was {before.get(name, 'not recorded')} and is now {after.get(name, 'not recorded')}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    }
    bundles = was.get("bundles", {}).keys() | now.get("bundles", {}).keys()
    return dict(sorted(_told_once(changed, bundles).items()))


def _told_once(changed: Mapping[str, str], bundles: Collection[str]) -> dict[str, str]:
    """Return changes in which those that all bundles of a run have in common are told once, without the bundle."""
    of_bundles: dict[tuple[str, str], list[str]] = {}
    told = {}
    for name, change in changed.items():
        within, _, rest = name.partition(".")
        bundle, _, setting = rest.partition(".")
        if within == "bundles" and bundle in bundles and setting:
            of_bundles.setdefault((setting, change), []).append(name)
        else:
            told[name] = change
    for (setting, change), names in of_bundles.items():
        told |= {setting: change} if len(names) == len(bundles) else dict.fromkeys(names, change)
    return told


def _flat(about: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, str]]:
    for key, value in about.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{within}{key}.")
        else:
            yield f"{within}{key}", value if isinstance(value, str) else json.dumps(value)
