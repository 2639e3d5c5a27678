"""Train a bundle from random weights for a number of minutes, and calibrate it.

    python benchmarks/peer_programs/train_bundle.py BUNDLE DATALIST OUTPUT --minutes 20

The schedule of the learning rate needs the number of steps, so a few steps are timed first. Their time counts.
Calibration comes after the time, as StarDist's choice of thresholds does.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from ignite.engine import Engine, Events
from monai.bundle import ConfigWorkflow

from cellseg_monai.bundle import find_bundle

PILOT_STEPS, SETTLING_STEPS, STEPS_PER_EPOCH = 12, 2, 25
PILOT_SHARE, KEPT_BACK = 0.2, 0.1
"""Largest share of the time for the pilot, and the share for the validation at the end."""


def workflow(bundle: Path, config: str, **overrides: object) -> ConfigWorkflow:
    """Return a workflow of a bundle that is ready to run."""
    kind = "train" if config == "train" else "infer"
    ready = ConfigWorkflow(
        str(bundle / "configs" / f"{config}.json"),
        logging_file=False,
        workflow_type=kind,
        bundle_root=str(bundle),
        **overrides,
    )
    ready.initialize()
    return ready


def seconds_per_step(bundle: Path, most_seconds: float, **overrides: object) -> float:
    """Return the median time of a training step, measured on a few, within some seconds if possible."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"epochs": 1, "steps_per_epoch": PILOT_STEPS, "val_interval": 2, "output_dir": folder}
        pilot = workflow(bundle, "train", **settings, **overrides)
        ends: list[float] = []

        def note(engine: Engine) -> None:
            ends.append(time.perf_counter())
            if len(ends) > SETTLING_STEPS and ends[-1] - ends[0] > most_seconds:
                engine.terminate()

        pilot.parser.get_parsed_content("train#trainer").add_event_handler(Events.ITERATION_COMPLETED, note)
        pilot.run()
    steps = [after - before for before, after in pairwise(ends)]
    return statistics.median(steps[SETTLING_STEPS - 1 :])


def main() -> None:
    """Train and calibrate."""
    begun = time.perf_counter()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("datalist", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--minutes", type=float, required=True)
    options = parser.parse_args()
    bundle = find_bundle(options.bundle)
    data = {"dataset_dir": str(options.datalist.parent), "datalist": str(options.datalist)}
    step = seconds_per_step(bundle, PILOT_SHARE * 60 * options.minutes, **data)
    left = (1 - KEPT_BACK) * 60 * options.minutes - (time.perf_counter() - begun)
    steps = max(1, int(left / step))
    epochs = max(1, round(steps / STEPS_PER_EPOCH))
    settings = {"epochs": epochs, "steps_per_epoch": max(1, steps // epochs), "val_interval": epochs}
    workflow(bundle, "train", output_dir=str(options.output), **settings, **data).run()
    minutes = (time.perf_counter() - begun) / 60
    print(f"{steps} steps of {step:.2f} s, {minutes:.1f} minutes", flush=True)
    workflow(bundle, "calibrate", output_dir=str(options.output), **data).run()


if __name__ == "__main__":
    main()
