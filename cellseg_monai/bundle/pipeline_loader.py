"""The pipeline of a bundle, out of the configs that `python -m monai.bundle run segmenting` takes."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from cellseg_monai.bundle.command_line import own_message
from cellseg_monai.bundle.find import find_checkpoint, find_postprocess
from cellseg_monai.bundle.run import find_bundle
from cellseg_monai.bundle.training_data import find_training_data
from cellseg_monai.decoding import Postprocessing
from cellseg_monai.digest import file_digest
from cellseg_monai.errors import BundleError
from cellseg_monai.inference import Pipeline, Tiles
from cellseg_monai.inference.torch_network import choose_device, lanes_of, torch_network
from cellseg_monai.networks import fold_normalisation
from cellseg_monai.pixels import Preprocessing, check_zoom
from cellseg_monai.training import bfloat16_is_native
from cellseg_monai.training.checkpoint_metadata import trained_preprocess

__all__ = ["PipelineLoader", "load_pipeline"]


def load_pipeline(
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
    channels: str | Sequence[str | int] | None = None,
    diameter_px: float | None = None,
    check: Callable[[Preprocessing], None] | None = None,
) -> Pipeline:
    """All that a bundle says of how objects are made.

    Args:
        bundle: its name, its folder, or a zip of it.
        checkpoint: the weights; None: those of a training in its output/, else those that it ships.
        postprocess: a `postprocess.json`, such as `cellseg calibrate` writes; None: that of the weights or bundle.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        amp: bfloat16; None: where the device multiplies it in hardware.
        tile_px: side of a tile; None: as the bundle says.
        overlap_px: of neighbouring tiles; None: as the bundle says.
        batch: tiles that the network sees at once; None: on a processor, which gains nothing by more, one; else as the
            bundle says.
        tta: test-time augmentation.
        channels: of the images, that the network sees, by names, or numbers from 0; in one text with commas between,
            where digits are numbers; None: as the bundle says.
        diameter_px: usual of the objects in the images: these are scaled so that the objects are as large as those that
            the network was trained on, whatever the pixel size; None: as the bundle says.
        check: called with how images are prepared, before the network is loaded; what it raises is raised.

    Raises:
        FileNotFoundError: there are no such settings.
        BundleError: no such bundle, or one that is not whole; or it does not say what its weights were trained on,
            though a diameter came.
        CheckpointError: it has no weights, or they are of another bundle.
        ValueError: no such device, impossible tiles or diameter, or channels that are too few or too many.
    """
    root = find_bundle(bundle)
    chosen = choose_device(device)
    lower = bfloat16_is_native(chosen) if amp is None else amp
    metadata = _metadata(root)
    parser = ConfigParser()
    parser.read_config(str(root / "configs" / "inference.json"))
    parser["bundle_root"] = str(root)
    weights = str(checkpoint or find_checkpoint(str(root / "output"), str(root)))
    parser["checkpoint"] = weights
    # What is wrong with the words is said before the network is loaded.
    if postprocess is not None and not Path(postprocess).is_file():
        raise FileNotFoundError(
            f"{postprocess} came for --postprocess, but there is no such file; name one that `cellseg calibrate` wrote"
        )
    # One that a person wrote of a single setting would else change those of the bundle that it does not name.
    settings = (
        Postprocessing.from_json(find_postprocess(weights, str(root)))
        if postprocess is None
        else Postprocessing.from_json(postprocess, whole=True)
    )
    if tile_px is not None:
        Tiles((tile_px, tile_px), overlap_px or 0)
    preprocess = _preprocess(parser, weights)
    if channels is not None:
        preprocess = _seeing(preprocess, channels, metadata["name"])
    digest = file_digest(Path(weights))
    if diameter_px is not None:
        preprocess = preprocess.at_zoom(_zoom(root, digest, diameter_px))
    if check is not None:
        check(preprocess)
    trained = _parsed(parser, "trained")
    height, width = trained.roi_size if tile_px is None else (tile_px, tile_px)
    overlap = round(trained.overlap * min(trained.roi_size)) if overlap_px is None else overlap_px
    network = fold_normalisation(trained.network)
    return Pipeline(
        bundle=metadata["name"],
        version=metadata["version"],
        weights_sha256=digest,
        network=torch_network(network, chosen, amp=lower),
        head=trained.head,
        preprocess=preprocess,
        postprocess=settings,
        tiles=Tiles((height, width), overlap, batch=batch or _batch(parser, chosen)),
        tta=tta,
        precision="bfloat16" if lower else "float32",
        lanes=lanes_of(chosen),
    )


def _preprocess(parser: ConfigParser, weights: str) -> Preprocessing:
    """As `trained` in the config will have it, without its network."""
    named = [name for name in ("bundle", "variants", "preprocess") if f"trained::{name}" in parser]
    return trained_preprocess(weights, **{name: _parsed(parser, f"trained::{name}") for name in named})


def _seeing(preprocess: Preprocessing, channels: str | Sequence[str | int], bundle: str) -> Preprocessing:
    """The same for other channels of the images, as many as the network takes."""
    if isinstance(channels, str):
        words = [word.strip() for word in channels.split(",")]
        channels = [int(word) if word.isdecimal() else word for word in words if word]
    found = replace(preprocess, channels=tuple(channels))
    count, expected = found.channel_count, preprocess.channel_count
    if count != expected:
        raise ValueError(
            f"{count} channel(s) came, {', '.join(map(str, channels))}, but the bundle {bundle} sees {expected}; name "
            "as many"
        )
    return found


def _zoom(root: Path, weights_sha256: str, diameter_px: float) -> float:
    """How much larger the network is to see objects of this diameter."""
    if not 0 < diameter_px < math.inf:
        raise ValueError(f"diameter {diameter_px:g} came, but a positive number of pixels was expected; measure a cell")
    training = find_training_data(root)
    if training is None or training.weights_sha256 != weights_sha256:
        raise BundleError(
            f"diameter {diameter_px:g} came, but {root.name} does not say how large the objects were that these "
            "weights were trained on; leave the diameter out, or set zoom in its preprocess.json"
        )
    zoom = training.diameter_px.median / diameter_px
    check_zoom(zoom)
    return zoom


def _batch(parser: ConfigParser, device: torch.device) -> int:
    return 1 if device.type == "cpu" else int(_parsed(parser, "sw_batch_size"))


def _metadata(root: Path) -> dict[str, Any]:
    path = root / "configs" / "metadata.json"
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BundleError(f"{path} is no JSON: {error}; copy the bundle again") from error
    missing = [key for key in ("name", "version") if key not in metadata]
    if missing or not path.with_name("inference.json").is_file():
        lacks = f"{path} lacks {', '.join(missing)}" if missing else f"{root} has no configs/inference.json"
        raise BundleError(f"{lacks}, so that it is no bundle of this kind; take one that `cellseg bundle check` passes")
    return dict(metadata)


def _parsed(parser: ConfigParser, name: str) -> Any:
    try:
        return parser.get_parsed_content(name)
    except RuntimeError as error:
        # MONAI wraps what is raised in an expression, once for each level.
        message = own_message(error)
        if message is None:
            raise
        raise BundleError(message) from error


@dataclass(frozen=True)
class PipelineLoader:
    """A call of `load_pipeline` that is sent to other processes, which find bundle and weights under the same path.

    Args:
        bundle: as for `load_pipeline`, and so are the others.
    """

    bundle: str | Path = "nuclei"
    checkpoint: str | Path | None = None
    postprocess: str | Path | None = None
    device: str = "auto"
    amp: bool | None = None
    tile_px: int | None = None
    overlap_px: int | None = None
    tta: bool = False
    channels: str | Sequence[str | int] | None = None
    diameter_px: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "bundle", find_bundle(self.bundle).absolute())
        if self.channels is not None and not isinstance(self.channels, str):
            object.__setattr__(self, "channels", tuple(self.channels))  # which can be hashed
        for name in ("checkpoint", "postprocess"):
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, Path(given).absolute())

    def __call__(self, check: Callable[[Preprocessing], None] | None = None) -> Pipeline:
        """The pipeline, loaded in this process.

        Args:
            check: as for `load_pipeline`.
        """
        return load_pipeline(**vars(self), check=check)
