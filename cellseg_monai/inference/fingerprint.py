"""Everything that the results of a run depend on, as `run.json` keeps it, and the differences between two runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from cellseg_monai._version import __version__
from cellseg_monai.inference.job import Job

__all__ = ["about_job", "differences"]


def about_job(job: Job, device: str) -> dict[str, Any]:
    """Return everything that results depend on, to the byte.

    The number of tiles that the network sees at the same time is left out: it follows the available memory, and changes
    results only by rounding. So is the model of a GPU, because a run can be resumed on any GPU that a queue assigns.

    Args:
        job: what is done with each image.
        device: where the network runs, such as "cpu" or "cuda:1"; only its kind is kept.
    """
    pipeline = job.pipeline
    about = {
        "cellseg_monai": __version__,
        "bundle": {"name": pipeline.bundle, "version": pipeline.version, "weights_sha256": pipeline.weights_sha256},
        "device": device.split(":")[0],
        "precision": pipeline.precision,
        "preprocess": asdict(pipeline.preprocess),
        "head": pipeline.head.to_mapping(),
        "postprocess": pipeline.postprocess.to_mapping(),
        "tiles": {"size": pipeline.tiles.size, "overlap": pipeline.tiles.overlap},
        "tta": pipeline.tta,
        "exports": job.exports,
        "axes": job.reading.axes,
        "pixel_size_um": job.reading.pixel_size_um,
    }
    return dict(json.loads(json.dumps(about)))  # in the form that is read again: tuples become lists


def differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, str]:
    """Return the differences between two runs: what each entry of `about` was and is, by its name.

    Args:
        was: what the earlier run depends on, as `about_job` returns it.
        now: the same for the later run.

    >>> differences({"tiles": {"size": [64, 64], "overlap": 8}}, {"tiles": {"size": [32, 32], "overlap": 8}})
    {'tiles.size': 'was [64, 64] and is [32, 32]'}
    """
    if "head" not in was:  # absent from older run.json files, which had one head for each bundle
        now = {name: value for name, value in now.items() if name != "head"}
    before, after = dict(_flat(was)), dict(_flat(now))
    return {
        name: f"was {before.get(name, 'not recorded')} and is {after.get(name, 'not recorded')}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    }


def _flat(about: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, str]]:
    for key, value in about.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{within}{key}.")
        else:
            yield f"{within}{key}", value if isinstance(value, str) else json.dumps(value)
