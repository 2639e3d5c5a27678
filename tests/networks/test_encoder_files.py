"""Files with the weights of encoders, as pretraining writes them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from segmentation_models_pytorch.encoders import get_encoder

from cellseg_monai.errors import BundleError
from cellseg_monai.networks import smp_model

ENCODERS = ["resnet18", "tu-tf_efficientnetv2_b0", "mit_b0", "tu-tf_efficientnet_lite0", "efficientnet-b3"]


def written(path: Path, encoder: torch.nn.Module) -> str:
    save_file({name: value.contiguous() for name, value in encoder.state_dict().items()}, path)
    return str(path)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ENCODERS)
def test_every_tensor_of_a_file_arrives(name: str, channels: int, tmp_path: Path) -> None:
    encoder = get_encoder(name, in_channels=channels)
    file = written(tmp_path / "encoder.safetensors", encoder)
    network = smp_model("unet", encoder_name=name, encoder_weights=file, in_channels=channels)
    loaded = network.network.encoder.state_dict()
    assert loaded.keys() == encoder.state_dict().keys()
    assert all(torch.equal(loaded[key], value) for key, value in encoder.state_dict().items())


@pytest.mark.parametrize(("stored", "wanted"), [(1, 3), (3, 1)])
def test_the_first_convolution_is_adapted_to_other_images(stored: int, wanted: int, tmp_path: Path) -> None:
    encoder = get_encoder("resnet18", in_channels=stored)
    file = written(tmp_path / "encoder.safetensors", encoder)
    network = smp_model("unet", encoder_name="resnet18", encoder_weights=file, in_channels=wanted)
    grey = torch.rand(1, 1, 64, 64)
    first, second = encoder.eval(), network.network.encoder.eval()
    with torch.no_grad():
        expected = first(grey.expand(1, stored, 64, 64))[1]
        torch.testing.assert_close(second(grey.expand(1, wanted, 64, 64))[1], expected, atol=1e-4, rtol=1e-4)


def test_all_that_does_not_match_is_named(tmp_path: Path) -> None:
    tensors = dict(get_encoder("resnet18", in_channels=1).state_dict())
    tensors["bn1.bias"] = torch.zeros(3)
    tensors["stem"] = tensors.pop("conv1.weight")
    save_file({name: value.contiguous() for name, value in tensors.items()}, tmp_path / "encoder.safetensors")
    with pytest.raises(BundleError) as caught:
        smp_model("unet", encoder_name="resnet18", encoder_weights=str(tmp_path / "encoder.safetensors"))
    text = str(caught.value)
    assert f"{len(tensors) - 2} of {len(tensors)} tensors match" in text
    assert "1 missing: conv1.weight; 1 unexpected: stem; 1 of another shape: bn1.bias is (3,) instead of (64,)" in text
