"""A MONAI inferer that uses this package's tiling, for training, calibration, evaluation and inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from monai.inferers import Inferer

from cellseg_monai.inference.symmetries import over_symmetries
from cellseg_monai.inference.tiled import Tiles, predict
from cellseg_monai.inference.torch_network import on_arrays

__all__ = ["TiledInferer"]


class TiledInferer(Inferer):
    """An inferer that runs a network on whole images, tile by tile; see `inference.predict_windows`.

    It replaces MONAI's `SlidingWindowInferer`, which pads small images with zeros, uses Gaussian weights that must be
    divided out again, and keeps the whole image in memory.

    Args:
        roi_size: (Y, X) of a tile, in pixels.
        overlap: overlap of neighbouring tiles, as a fraction of the tile size, from 0 to 0.5.
        batch_size: number of tiles in a batch.
        tta: use test-time augmentation, the mean over eight symmetric views; see `inference.over_symmetries`.
    """

    def __init__(
        self, roi_size: Sequence[int], *, overlap: float = 0.25, batch_size: int = 4, tta: bool = False
    ) -> None:
        super().__init__()
        height, width = roi_size
        self.tiles = Tiles((height, width), round(overlap * min(height, width)), batch=batch_size)
        self.tta = tta

    def __call__(self, inputs: torch.Tensor, network: Any) -> torch.Tensor:
        """Return the logits for B×C×Y×X images, on the same device as the images.

        Unlike MONAI's inferers, this method does not pass further arguments to the network.
        """
        answer = on_arrays(network, inputs.device)
        if self.tta:
            answer = over_symmetries(answer)
        images = inputs.float().numpy(force=True)
        logits = np.stack([predict(image, answer, self.tiles) for image in images])
        return torch.from_numpy(logits).to(inputs.device)
