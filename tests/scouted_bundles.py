"""Copies of the shipped bundles, with a scout whose answers are known."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from cellseg_monai.bundle import origin
from cellseg_monai.networks import scout_network
from cellseg_monai.scouting import KINDS
from cellseg_monai.training.checkpoint_metadata import make_metadata, state_with_metadata

SEEN_PX = 16.0
"""Diameter that the scout sees in views at the resolution of the image."""


def save_scout(path: Path, *, log_variance: float = -5.0) -> None:
    """Write weights of a scout that sees nuclei of 16 px in dark images, and none of the kinds in bright ones."""
    network = scout_network(channels=(1,)).eval()
    with torch.no_grad():
        convolution, answer = network[0][0], network[-1]
        convolution.weight.fill_(1 / convolution.weight.numel())  # so that the features are brightness
        answer.weight.zero_()
        answer.bias.copy_(torch.tensor([np.log2(SEEN_PX), log_variance, -5.0, *[0.0] * len(KINDS)]))
        for kind, slope, at_zero in (("fluorescence_nuclei", 0.0, 8.0), ("none", 200.0, -20.0)):
            answer.weight[3 + list(KINDS).index(kind), 0] = slope
            answer.bias[3 + list(KINDS).index(kind)] = at_zero
    torch.save(state_with_metadata(network, make_metadata(network, {"bundle": "scout"})), path)


def scouted_bundles(folder: Path, monkeypatch: pytest.MonkeyPatch, *, log_variance: float = -5.0) -> Path:
    """Copy the bundles `scout` and `nuclei` to a folder, and let them be those that ship with the package.

    The weights of `nuclei` are the shipped ones, as if trained on bright objects of 28 px.
    """
    for name in ("scout", "nuclei"):
        shutil.copytree(origin.shipped_folder() / name, folder / name, ignore=shutil.ignore_patterns("output"))
        (folder / name / "models").mkdir(exist_ok=True)
    save_scout(folder / "scout" / "models" / "model.pt", log_variance=log_variance)
    weights = folder / "nuclei" / "models" / "model.pt"
    state = torch.load(weights, weights_only=True)
    state._metadata["cellseg_monai"]["preprocess"] |= {"diameter_px": 28.0, "polarity": "bright"}
    torch.save(state, weights)
    monkeypatch.setattr(origin, "_INSTALLED", folder)
    return folder


def record_of(output: Path) -> dict:
    """Return the record of a run."""
    return json.loads((output / "run.json").read_text())
