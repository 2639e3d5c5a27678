"""Loading the pipeline of one bundle, from the same configs as `python -m monai.bundle run segmenting`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser

from cellseg_monai.bundle.command_line import own_message
from cellseg_monai.bundle.find import find_checkpoint, find_postprocess
from cellseg_monai.bundle.literal import literal
from cellseg_monai.bundle.locate import find_bundle
from cellseg_monai.bundle.origin import code_digest
from cellseg_monai.bundle.training_data import find_training_data
from cellseg_monai.decoding import Postprocessing
from cellseg_monai.digest import file_digest
from cellseg_monai.errors import BundleError
from cellseg_monai.inference import Pipeline, Tiles
from cellseg_monai.inference.torch_network import bfloat16_slowdown, choose_device, lanes_of, torch_network
from cellseg_monai.io import Note
from cellseg_monai.networks import fold_normalisation
from cellseg_monai.networks.bfloat16_speed import TOLERATED_SLOWDOWN
from cellseg_monai.pixels import Preprocessing, channels_from_text, check_zoom
from cellseg_monai.quality import TrainingData
from cellseg_monai.segment_options import SegmentOptions
from cellseg_monai.settings import read_mapping
from cellseg_monai.training import TrainedNetwork, bfloat16_is_native
from cellseg_monai.training.checkpoint_metadata import trained_preprocess

__all__ = ["ChannelCountError", "load_one"]


class ChannelCountError(ValueError):
    """The user named another number of channels than the network has."""


def load_one(options: SegmentOptions, batch: int | None, check: Callable[[Preprocessing], None] | None) -> Pipeline:
    """Load the pipeline of the bundle that the options name.

    Args:
        options: the options.
        batch: number of tiles per batch; see `load_pipeline`.
        check: see `load_pipeline`.
    """
    root = find_bundle(options.bundle)
    device = choose_device(options.device)
    metadata = _metadata(root)
    parser = _inference_config(root, metadata["name"])
    weights = options.checkpoint or find_checkpoint(str(root / "output"), str(root))
    parser["checkpoint"] = literal(weights)
    # Reject invalid options before loading the network, which takes time.
    postprocess = _postprocess(options.postprocess, weights, root)
    if options.tile is not None:
        Tiles((options.tile, options.tile), options.overlap or 0)
    preprocess = _preprocess(parser, weights)
    if options.channels is not None:
        preprocess = _with_channels(preprocess, options.channels, metadata["name"])
    digest = file_digest(Path(weights))
    if isinstance(options.diameter, float):
        preprocess = _scaled(preprocess, root, digest, options.diameter)
    if check is not None:
        check(preprocess)
    trained = _parsed(parser, "trained")
    if trained.head is None:
        raise BundleError(
            f"{root / 'configs' / 'inference.json'} and the checkpoint name no head, so nothing says what the "
            "network's channels mean; name a head in the bundle, and build its configs again"
        )
    network = fold_normalisation(trained.network)
    tiles = _tiles(options, trained, batch or _batch(parser, device))
    amp, notes = _uses_bfloat16(
        options.amp, lambda: bfloat16_slowdown(network, device, preprocess.channel_count, tiles.multiple), device
    )
    return Pipeline(
        bundle=metadata["name"],
        version=metadata["version"],
        weights_sha256=digest,
        code_sha256=code_digest(root),
        network=torch_network(network, device, amp=amp),
        head=trained.head,
        preprocess=preprocess,
        postprocess=postprocess,
        tiles=tiles,
        tta=options.tta,
        precision="bfloat16" if amp else "float32",
        lanes=lanes_of(device),
        training=_training(root, digest),
        notes=notes,
    )


def _tiles(options: SegmentOptions, trained: TrainedNetwork, batch: int) -> Tiles:
    """Return the tiles that the options ask for, or else those of the bundle."""
    height, width = trained.roi_size if options.tile is None else (options.tile, options.tile)
    if (overlap := options.overlap) is None:  # the bundle's overlap, as far as it fits into smaller tiles
        overlap = min(round(trained.overlap * min(trained.roi_size)), height // 2, width // 2)
    return Tiles((height, width), overlap, batch=batch)


def _uses_bfloat16(
    asked: bool | None, slowdown: Callable[[], float], device: torch.device
) -> tuple[bool, tuple[Note, ...]]:
    """Decide whether to run the network in bfloat16, and note it if that is slower than float32.

    Args:
        asked: what the user chose; None for bfloat16 if it is faster.
        slowdown: measures the time in bfloat16 as a multiple of that in float32.
        device: where the network runs.
    """
    is_native = bfloat16_is_native(device)
    if asked is False or (asked is None and not is_native):
        return False, ()
    # A CPU can have the instructions without PyTorch using them for this network; GPUs always use them.
    if (is_native and device.type == "cuda") or not (factor := slowdown()) > TOLERATED_SLOWDOWN:
        return True, ()
    if asked is None:
        return False, ()
    return True, (
        Note(
            "precision",
            f"bfloat16 takes {factor:.1f} times as long as float32 on {device}, and its results differ slightly; leave "
            "out --amp to use float32",
        ),
    )


def _postprocess(named: str | None, weights: str, root: Path) -> Postprocessing:
    if named is None:
        return Postprocessing.from_json(find_postprocess(weights, str(root)))
    if not Path(named).is_file():
        raise FileNotFoundError(f"--postprocess: no such file: {named}; pass a file written by `cellseg calibrate`")
    # Otherwise defaults would silently replace the bundle's values for settings that the file does not name.
    return Postprocessing.from_json(named, whole=True)


def _preprocess(parser: ConfigParser, weights: str) -> Preprocessing:
    """Return the preparation of images that the config's `trained` would use, without building its network."""
    names = [name for name in ("bundle", "variants", "preprocess") if f"trained::{name}" in parser]
    return trained_preprocess(weights, **{name: _parsed(parser, f"trained::{name}") for name in names})


def _with_channels(preprocess: Preprocessing, channels: str | Sequence[str | int], bundle: str) -> Preprocessing:
    """Return the preparation with other image channels, after checking that their number suits the network."""
    if isinstance(channels, str):
        channels = channels_from_text(channels)
    changed = replace(preprocess, channels=tuple(channels))
    count, expected = changed.channel_count, preprocess.channel_count
    if count != expected:
        raise ChannelCountError(
            f"got {count} channel(s), {', '.join(map(str, channels))}, expected {expected} for the bundle {bundle}; "
            "pass that number of channels"
        )
    return changed


def _training(root: Path, weights_sha256: str) -> TrainingData | None:
    """Return the bundle's description of its training data if it belongs to these weights, otherwise None."""
    training = find_training_data(root)
    return None if training is None or training.weights_sha256 != weights_sha256 else training


def _scaled(preprocess: Preprocessing, root: Path, weights_sha256: str, diameter_px: float) -> Preprocessing:
    """Return the preparation of images whose objects have the given diameter."""
    if preprocess.diameter_px is None:
        return preprocess.at_zoom(_zoom(root, weights_sha256, diameter_px))
    return preprocess.for_objects(diameter_px)


def _zoom(root: Path, weights_sha256: str, diameter_px: float) -> float:
    """Return the zoom factor that brings objects of the given diameter to the diameter of the training objects."""
    training = _training(root, weights_sha256)
    if training is None:
        raise BundleError(
            f"got diameter={diameter_px:g}, but {root.name} does not record the diameter of the objects that its "
            "weights were trained on; leave out the diameter, and scale the images until their cells are as large as "
            "those in the training images"
        )
    zoom = training.diameter_px.median / diameter_px
    check_zoom(zoom)
    return zoom


def _batch(parser: ConfigParser, device: torch.device) -> int:
    return 1 if device.type == "cpu" else int(_parsed(parser, "sw_batch_size"))


def _inference_config(root: Path, name: str) -> ConfigParser:
    """Return the config of inference, unless the bundle only looks at images."""
    parser = ConfigParser()
    parser.read_config(read_mapping(root / "configs" / "inference.json", remedy="copy the bundle again"))
    if "looking" in parser:
        raise BundleError(
            f"the bundle {name} looks at images, but finds no cells; name another bundle, or use `cellseg scout`"
        )
    parser["bundle_root"] = literal(str(root))
    return parser


def _metadata(root: Path) -> dict[str, Any]:
    path = root / "configs" / "metadata.json"
    metadata = read_mapping(path, remedy="copy the bundle again")
    missing = [key for key in ("name", "version") if not isinstance(metadata.get(key), str)]
    if missing or not path.with_name("inference.json").is_file():
        problem = f"{path} lacks {', '.join(missing)}" if missing else f"{root} has no configs/inference.json"
        raise BundleError(f"{problem}, so it is not a valid bundle; use one that `cellseg bundle check` accepts")
    return metadata


def _parsed(parser: ConfigParser, name: str) -> Any:
    try:
        return parser.get_parsed_content(name)
    except RuntimeError as error:
        # MONAI wraps an error in an expression once for each level of the config.
        message = own_message(error)
        if message is None:
            raise
        raise BundleError(message) from error
