"""Definitions that would make a network fetch or open something."""

import socket
from contextlib import suppress
from typing import Any

import pytest

from cellseg_monai.errors import BundleError
from cellseg_monai.networks import build_network, smp_model


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a network connection was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


SMP = {"network": "smp_model", "architecture": "unet"}
TIMM = {**SMP, "encoder_name": "tu-resnet18"}
REFUSED: list[dict[str, Any]] = [
    {**SMP, "encoder_name": "tu-hf-hub:someone/something"},
    {**SMP, "encoder_name": "tu-hf_hub:someone"},
    {**SMP, "encoder_name": "tu-local-dir:/tmp/model"},
    {**SMP, "encoder_name": "tu-timm/resnet18.a1_in1k"},
    {**SMP, "encoder_name": "hf-hub:someone/something"},
    {**SMP, "encoder_name": "/tmp/model"},
    {**SMP, "encoder_name": "..\\model"},
    {**SMP, "encoder_name": ["tu-hf-hub:someone/something"]},
    {"network": "unet_plus_plus", "encoder_name": "tu-hf-hub:someone/something"},
    {**TIMM, "pretrained": True},
    {**TIMM, "pretrained_cfg": {"url": "x"}},
    {**TIMM, "pretrained_cfg": "a1_in1k"},
    {**TIMM, "pretrained_cfg_overlay": {"hf_hub_id": "x"}},
    {**TIMM, "checkpoint_path": "model.pt"},
    {**TIMM, "cache_dir": "here"},
    {"network": "monai_network", "name": "EfficientNetBN", "multiple": 8, "pretrained": True, "model_name": "x"},
    {"network": "monai_network", "name": "CellSamWrapper", "multiple": 8, "checkpoint": "sam.pth"},
    {"network": "monai_network", "name": "UNet", "multiple": 8, "act": "http://somewhere"},
]


@pytest.mark.parametrize("definition", REFUSED, ids=str)
def test_sources_of_weights_are_refused(definition: dict[str, Any]) -> None:
    with pytest.raises(BundleError, match=r"because a checkpoint brings its weights"):
        build_network(definition)


@pytest.mark.parametrize("weights", ["imagenet", "/tmp/encoder.pt", "advprop", True, {"a": 1}, None])
@pytest.mark.parametrize("network", [{**SMP, "encoder_name": "resnet18"}, TIMM, {"network": "unet_plus_plus"}])
def test_encoder_weights_are_never_loaded(network: dict[str, Any], weights: Any) -> None:
    built = build_network({**network, "encoder_weights": weights})
    assert "encoder_weights" not in built.definition


def test_options_with_similar_names_are_kept() -> None:
    network = smp_model("unet", encoder_name="tu-resnet18", drop_path_rate=0.1)
    assert build_network(network.definition).definition == network.definition
    with pytest.raises(BundleError, match="unexpected keyword argument 'use_checkpoint'"):
        build_network({"network": "unet", "use_checkpoint": True})


@pytest.mark.parametrize("value", [None, True, -1, 1.5, 10**30, "x", [], [[]], [None], {}, {"a": 1}], ids=repr)
def test_wrong_values_raise_no_other_error(value: Any) -> None:
    for network in (
        {"network": "unet", "channels": [2, 4]},
        {"network": "monai_network", "name": "SegResNet", "multiple": 8, "init_filters": 8},
        {**SMP, "encoder_name": "resnet18", "encoder_depth": 3, "decoder_channels": [32, 16, 8]},
    ):
        for name in (*network, "classes", "in_channels"):
            if name in ("classes", "in_channels") and value == 10**30:
                continue
            with suppress(BundleError):
                assert build_network({**network, name: value}).definition[name] == value
