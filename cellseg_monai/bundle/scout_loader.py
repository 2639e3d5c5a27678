"""Loading the scout that ships with this package, and the bundles that it can suggest."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import torch

from cellseg_monai.bundle.find import find_checkpoint, find_postprocess
from cellseg_monai.bundle.locate import find_bundle
from cellseg_monai.bundle.origin import shipped_names
from cellseg_monai.digest import file_digest
from cellseg_monai.inference.torch_network import torch_network
from cellseg_monai.networks import fold_normalisation
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.scouting import KINDS, SIDE_PX, Certainty, Scout
from cellseg_monai.settings import read_mapping
from cellseg_monai.training import bfloat16_is_native
from cellseg_monai.training.checkpoint_file import BEST
from cellseg_monai.training.checkpoint_metadata import TrainedNetwork, trained_preprocess

__all__ = ["bundles_of_kinds", "has_weights", "load_scout", "suggested_bundles"]

_NAME = "scout"


def load_scout(checkpoint: str | None = None) -> Scout:
    """Load the network that tells what an image shows; it runs on the CPU, where it takes a few milliseconds.

    Args:
        checkpoint: file with the weights; by default, those trained in the bundle's output/, or else those shipped with
            it.

    Raises:
        BundleError: the bundle does not exist.
        CheckpointError: the bundle has no weights, or the weights belong to another bundle.
    """
    root = find_bundle(_NAME)
    checkpoint = checkpoint or find_checkpoint(str(root / "output"), str(root))
    return _load(checkpoint, str(root), file_digest(Path(checkpoint)))


@lru_cache(maxsize=1)
def _load(checkpoint: str, root: str, sha256: str) -> Scout:
    trained = TrainedNetwork(checkpoint, bundle=_NAME, roi_size=(SIDE_PX, SIDE_PX), overlap=0.0)
    cpu = torch.device("cpu")
    network = torch_network(fold_normalisation(trained.network.eval()), cpu, amp=bfloat16_is_native(cpu))
    certainty = Certainty.from_json(find_postprocess(checkpoint, root))

    version = str(read_mapping(Path(root) / "configs" / "metadata.json")["version"])
    return Scout(network, version, sha256, certainty)


@lru_cache(maxsize=1)
def suggested_bundles() -> Mapping[str, Preprocessing]:
    """Return the bundles for the kinds of images that have weights, each with its preparation of images.

    Raises:
        CheckpointError: weights are damaged, or belong to another bundle.
    """
    bundles: dict[str, Preprocessing] = {}
    for name in filter(has_weights, bundles_of_kinds()):
        root = find_bundle(name)
        bundles[name] = trained_preprocess(find_checkpoint(str(root / "output"), str(root)), bundle=name)
    return bundles


def bundles_of_kinds() -> list[str]:
    """Return the names of the bundles that are made for a kind of image."""
    return list(dict.fromkeys(kind.bundle for kind in KINDS.values() if kind.bundle is not None))


def has_weights(name: str) -> bool:
    """Return True if a bundle ships with this package, and has weights."""
    return name in shipped_names() and any((find_bundle(name) / part / BEST).is_file() for part in ("output", "models"))
