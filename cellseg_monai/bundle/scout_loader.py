"""Loading the scout that ships with this package."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from cellseg_monai.bundle.find import find_checkpoint
from cellseg_monai.bundle.run import find_bundle
from cellseg_monai.digest import file_digest
from cellseg_monai.networks import fold_normalisation
from cellseg_monai.scouting import SIDE_PX, Scout
from cellseg_monai.settings import read_mapping
from cellseg_monai.training.checkpoint_metadata import TrainedNetwork

__all__ = ["load_scout"]

_NAME = "scout"


def load_scout() -> Scout:
    """Load the network that tells what an image shows; it runs on the CPU, where it takes a few milliseconds.

    Raises:
        BundleError: the bundle does not exist.
        CheckpointError: the bundle has no weights.
    """
    root = find_bundle(_NAME)
    checkpoint = find_checkpoint(str(root / "output"), str(root))
    return _load(checkpoint, str(root), file_digest(Path(checkpoint)))


@lru_cache(maxsize=1)
def _load(checkpoint: str, root: str, sha256: str) -> Scout:
    trained = TrainedNetwork(checkpoint, bundle=_NAME, roi_size=(SIDE_PX, SIDE_PX), overlap=0.0)
    network = fold_normalisation(trained.network.eval()).to(memory_format=torch.channels_last)

    def answer(views: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            tensor = torch.from_numpy(views).to(memory_format=torch.channels_last)
            return network(tensor).float().numpy(force=True)

    version = str(read_mapping(Path(root) / "configs" / "metadata.json")["version"])
    return Scout(answer, version, sha256)
