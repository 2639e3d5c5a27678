"""Checkpoints that somebody else may have written."""

import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from cellseg_monai.errors import BundleError, CheckpointError
from cellseg_monai.heads import ForegroundHead
from cellseg_monai.networks import smp_model, unet
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.training import TrainedNetwork, save_checkpoint
from cellseg_monai.training.checkpoint_metadata import make_metadata, state_with_metadata, trained_preprocess

TINY = {"network": "monai_network", "multiple": 1, "in_channels": 1, "classes": 2}


def save(path: Path, network: torch.nn.Module, /, **changed: Any) -> Path:
    values = {"bundle": "toy", "variants": (), "preprocess": Preprocessing(), "head": ForegroundHead()}
    metadata = make_metadata(network, {**values, "roi_size": (64, 64), "overlap": 0.25})
    save_checkpoint(state_with_metadata(network, {**metadata, **changed}), path)
    return path


def refusal(path: Path) -> str:
    """Return the message with which a checkpoint is refused, or "" if it is accepted."""
    with suppress(BundleError, CheckpointError):
        trained_preprocess(path, bundle="toy", variants="two_classes")
    try:
        TrainedNetwork(path, bundle="toy")
    except (BundleError, CheckpointError) as error:
        return str(error)
    return ""


WRONG = [None, True, -1, 0, 1.5, float("nan"), "x", [], [[]], [None], {}, {"a": 1}, {"name": 1}, torch.zeros(2)]


@pytest.mark.parametrize("value", WRONG, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize("name", ["bundle", "variants", "network", "head", "preprocess", "roi_size", "overlap"])
def test_metadata_of_another_type_is_refused_in_words(tmp_path: Path, name: str, value: Any) -> None:
    message = refusal(save(tmp_path / "model.pt", unet(channels=(2, 4)), **{name: value}))
    assert message == "" or str(tmp_path) in message or ";" in message


@pytest.mark.parametrize("value", WRONG, ids=lambda value: repr(value)[:20])
def test_fields_of_another_type_are_refused_in_words(tmp_path: Path, value: Any) -> None:
    network = unet(channels=(2, 4))
    for part, fields in (
        ("preprocess", make_metadata(network, {"preprocess": Preprocessing()})["preprocess"]),
        ("head", ForegroundHead().to_mapping()),
    ):
        for name in fields:
            message = refusal(save(tmp_path / "model.pt", network, **{part: {**fields, name: value}}))
            assert message == "" or str(tmp_path) in message


@pytest.mark.parametrize("state", [{}, {"a": 1}, {1: torch.zeros(1)}, {"network": 3, "optimizer": 1, "epoch": 2}])
def test_contents_that_are_not_weights_are_refused(tmp_path: Path, state: dict) -> None:
    save_checkpoint(state, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match=r"model\.pt"):
        TrainedNetwork(tmp_path / "model.pt", network=unet(channels=(2, 4)), roi_size=(64, 64))


@pytest.mark.parametrize(
    "definition",
    [
        {"network": "unet", "channels": [40_000, 40_000]},
        {"network": "swin_unet", "embed_dim": 96_000},
        {"network": "unet", "channels": [2, 4], "classes": 10**9},
        {**TINY, "name": "ViT", "img_size": [1200, 1200], "patch_size": [1, 1]},
        {**TINY, "name": "UNet", "channels": [1, 1], "strides": [1], "num_res_units": 10**9},
        {**TINY, "name": "SwinUNETR", "depths": [10**10, 2, 2, 2]},
        {**TINY, "name": "SwinUNETR", "window_size": 300},
    ],
    ids=str,
)
def test_a_network_far_larger_than_its_weights_is_not_built(tmp_path: Path, definition: dict) -> None:
    path = save(tmp_path / "model.pt", unet(channels=(2, 4)), network=definition)
    with pytest.raises(CheckpointError, match="far larger than the weights in it"):
        TrainedNetwork(path)


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch warns of sparse tensors
@pytest.mark.parametrize(
    "change",
    [torch.Tensor.to_sparse, torch.Tensor.cfloat, lambda weight: weight.to("meta")],
    ids=["sparse", "complex", "without content"],
)
def test_weights_that_are_no_arrays_of_real_numbers_are_refused(tmp_path: Path, change: Callable) -> None:
    network = unet(channels=(2, 4))
    state = state_with_metadata(network, make_metadata(network, {"bundle": "toy"}))
    name = next(name for name, value in state.items() if value.is_floating_point())
    state[name] = change(state[name])
    save_checkpoint(state, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="expected an array of real numbers; use a checkpoint from this package"):
        TrainedNetwork(tmp_path / "model.pt")


def test_weights_that_only_claim_a_size_do_not_raise_the_limit(tmp_path: Path) -> None:
    state = torch.nn.Linear(1, 1).state_dict()
    state["weight"] = torch.zeros(1).expand(10**6, 10**6)
    definition = {"network": "unet", "channels": [40_000, 40_000]}
    state._metadata["cellseg_monai"] = {"bundle": "toy", "network": definition, "roi_size": [64, 64]}
    save_checkpoint(state, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="far larger than the weights in it"):
        TrainedNetwork(tmp_path / "model.pt")


def test_nothing_is_fetched_for_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = smp_model("unet", encoder_name="resnet18", encoder_depth=3, decoder_channels=(32, 16, 8))
    fetching = {**network.definition, "encoder_weights": "imagenet"}
    path = save(tmp_path / "model.pt", network, network=fetching)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a network connection was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    state = TrainedNetwork(path, bundle="toy").network.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    save(path, network, network={**network.definition, "encoder_name": "tu-hf-hub:someone/something"})
    with pytest.raises(BundleError, match="because a checkpoint brings its weights"):
        TrainedNetwork(path, bundle="toy")
