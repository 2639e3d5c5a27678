from pathlib import Path

import pytest
import torch
from segmentation_models_pytorch.encoders import get_encoder
from torch import nn

from cellseg_monai.errors import BundleError
from cellseg_monai.networks import encoder_parameters, multihead_unet
from tests.contracts.network import NetworkContract

SMALL = {"decoder_channels": (16, 8, 8, 8, 8)}


class TestMultiheadUnet(NetworkContract):
    scripts = True

    def build(self, **channels: int) -> nn.Module:
        return multihead_unet("resnet18", **SMALL, **channels)


class TestMultiheadUnetWithPooledChannels(NetworkContract):
    scripts = True

    def build(self, in_channels: int, classes: int) -> nn.Module:
        # At least one channel cannot be pooled.
        return multihead_unet(
            "resnet18", **SMALL, in_channels=in_channels, classes=classes, pooled=list(range(classes - 1))
        )


class TestMultiheadUnetWithAnEncoderOfTimm(NetworkContract):
    folds = False

    def build(self, in_channels: int, classes: int) -> nn.Module:
        return multihead_unet(
            "tu-tf_efficientnet_lite0", **SMALL, in_channels=in_channels, classes=classes, pooled=[0][: classes - 1]
        )


def test_pooled_channels_describe_the_whole_image_wherever_they_are() -> None:
    torch.manual_seed(0)
    network = multihead_unet("resnet18", **SMALL, classes=5, pooled=[3, 1]).eval()
    with torch.no_grad():
        logits = network(torch.rand(2, 1, 64, 96))
    for image in logits:
        assert [len(channel.unique()) == 1 for channel in image] == [False, True, False, True, False]
    assert not torch.equal(logits[0, 1], logits[1, 1])


def test_each_channel_learns_from_its_own_loss() -> None:
    torch.manual_seed(0)
    network = multihead_unet("resnet18", **SMALL, classes=3, pooled=[1])
    network(torch.rand(2, 1, 64, 64))[:, 1].sum().backward()
    inner = network.network
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in inner.decoder.parameters())
    assert inner.image.weight.grad.any()
    assert any(parameter.grad.any() for parameter in encoder_parameters(network) if parameter.grad is not None)


def test_encoder_weights_are_loaded_from_a_file(tmp_path: Path) -> None:
    encoder = get_encoder("resnet18", in_channels=3)
    torch.save(encoder.state_dict(), tmp_path / "encoder.pt")
    network = multihead_unet("resnet18", encoder_weights=str(tmp_path / "encoder.pt"), in_channels=3)
    for name, values in encoder.state_dict().items():
        torch.testing.assert_close(network.network.encoder.state_dict()[name], values)


@pytest.mark.parametrize("pooled", [[0], [0, 0], [2], [-1]], ids=["all", "twice", "too high", "negative"])
def test_impossible_pooled_channels_are_refused(pooled: list[int]) -> None:
    with pytest.raises(BundleError, match="and at least one channel that is not pooled"):
        multihead_unet("resnet18", classes=1 if pooled == [0] else 2, pooled=pooled)


def test_misspelt_options_are_refused() -> None:
    with pytest.raises(BundleError, match=r"did you mean 'decoder_channels'\?"):
        multihead_unet("resnet18", decoder_chanels=(8, 8, 8, 8, 8))
