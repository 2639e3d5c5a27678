"""The recipe of a bundle, out of the configs that `python -m monai.bundle run segmenting` takes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.bundle import ConfigParser

from cellseg_monai.bundle.find import find_checkpoint, find_postprocess
from cellseg_monai.bundle.run import find_bundle
from cellseg_monai.inference import Recipe, Tiles
from cellseg_monai.inference.torch_network import choose_device, torch_network
from cellseg_monai.labels import Postprocessing

__all__ = ["load_recipe"]


def load_recipe(
    bundle: str | Path = "nuclei",
    *,
    checkpoint: str | Path | None = None,
    postprocess: str | Path | None = None,
    device: str = "auto",
    amp: bool | None = None,
    tile_px: int | None = None,
    overlap_px: int | None = None,
    batch: int | None = None,
    tta: bool = False,
) -> Recipe:
    """All that a bundle says of how objects are made.

    Args:
        bundle: its name or folder.
        checkpoint: the weights; None: those of a training in its output/, else those that it ships.
        postprocess: a `postprocess.json`, such as `cellseg calibrate` writes; None: that of the weights or bundle.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        amp: bfloat16; None: where the device multiplies it in hardware.
        tile_px: side of a tile; None: as the bundle says.
        overlap_px: of neighbouring tiles; None: as the bundle says.
        batch: tiles that the network sees at once; None: as the bundle says.
        tta: test-time augmentation.

    Raises:
        BundleError: no such bundle.
        CheckpointError: it has no weights, or they are of another bundle.
        ValueError: no such device.
    """
    root = find_bundle(bundle)
    chosen = choose_device(device)
    parser = ConfigParser()
    parser.read_config(str(root / "configs" / "inference.json"))
    parser["bundle_root"] = str(root)
    weights = str(checkpoint or find_checkpoint(str(root / "output"), str(root)))
    parser["checkpoint"] = weights
    trained = parser.get_parsed_content("trained")
    activation = parser.get_parsed_content("activation")
    height, width = trained.roi_size if tile_px is None else (tile_px, tile_px)
    overlap = round(trained.overlap * min(trained.roi_size)) if overlap_px is None else overlap_px
    metadata = json.loads((root / "configs" / "metadata.json").read_text(encoding="utf-8"))
    return Recipe(
        bundle=metadata["name"],
        version=metadata["version"],
        weights_sha256=hashlib.sha256(Path(weights).read_bytes()).hexdigest(),
        network=torch_network(trained.network, chosen, amp=amp),
        activation=_Activation(activation),
        preprocess=trained.preprocess,
        postprocess=Postprocessing.from_json(postprocess or find_postprocess(weights, str(root))),
        tiles=Tiles((height, width), overlap, batch=batch or parser.get_parsed_content("sw_batch_size")),
        tta=tta,
    )


class _Activation:
    """A transform of items as a function of arrays."""

    def __init__(self, transform: Any) -> None:
        self.transform = transform

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        return self.transform({"pred": torch.from_numpy(np.ascontiguousarray(logits))})["pred"].numpy(force=True)
