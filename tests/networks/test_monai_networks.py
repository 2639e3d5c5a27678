"""Networks of MONAI that a bundle names, held to the contract, and what is refused."""

import pytest
import torch
from torch import nn

from cellseg_monai.errors import BundleError
from cellseg_monai.networks import build_network, monai_network, swin_unetr
from tests.contracts.network import NetworkContract

UNET = {"channels": [4, 8, 16], "strides": [2, 2]}
DYNAMIC = {"kernel_size": [3] * 4, "strides": [1, 2, 2, 2], "upsample_kernel_size": [2] * 3, "filters": [4, 8, 8, 8]}
NESTED = {"features": [4, 4, 8, 8, 16, 4]}


class TestAttentionUnet(NetworkContract):
    def build(self, **channels: int) -> nn.Module:
        return monai_network("AttentionUnet", multiple=4, **UNET, **channels)


class TestFlexibleUnet(NetworkContract):
    folds = False

    def build(self, **channels: int) -> nn.Module:
        options = {"backbone": "resnet10", "decoder_channels": [32, 16, 8, 8, 8]}
        return monai_network("FlexibleUNet", multiple=32, **options, **channels)


class TestSegResNet(NetworkContract):
    def build(self, **channels: int) -> nn.Module:
        return monai_network("SegResNet", multiple=8, init_filters=8, **channels)


class TestDynUnet(NetworkContract):
    def build(self, **channels: int) -> nn.Module:
        return monai_network("DynUNet", multiple=8, minimum=16, **DYNAMIC, **channels)


class TestBasicUnetPlusPlus(NetworkContract):
    """A network that answers with a list of one tensor, and keeps the heads of deep supervision unused."""

    unused = "final_conv_0_"

    def build(self, **channels: int) -> nn.Module:
        return monai_network("BasicUNetPlusPlus", multiple=16, minimum=32, **NESTED, **channels)


def test_the_definition_holds_all_that_builds_it_again() -> None:
    network = monai_network("SegResNet", multiple=8, classes=2, init_filters=8)
    assert network.definition == {
        "network": "monai_network",
        "name": "SegResNet",
        "in_channels": 1,
        "classes": 2,
        "multiple": 8,
        "minimum": 1,
        "init_filters": 8,
    }


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("attention_unet", {}, "MONAI has no network named 'attention_unet'; did you mean 'AttentionUnet'?"),
        ("transforms", {}, "MONAI has no network named 'transforms'; see monai.networks.nets"),
        ("UNet", {**UNET, "strids": [2]}, "MONAI's UNet has no option 'strids'; did you mean 'strides'?"),
        ("UNet", {**UNET, "out_channels": 3}, "UNet: the option out_channels is reserved; pass classes instead"),
        ("UNet", {**UNET, "spatial_dims": 3}, "UNet: got spatial_dims=3, expected 2; remove this option"),
        ("UNet", {"channels": [4, 8]}, "missing 1 required positional argument: 'strides'; change the options"),
        ("UNet", {**UNET, "multiple": 0}, "got multiple=0 and minimum=1, expected whole numbers of at least 1"),
        ("Critic", {}, "Critic takes none of in_channels, n_input_channels, num_channels, so it cannot segment images"),
        ("FlexibleUNet", {"backbone": "resnet10", "pretrained": True}, "got pretrained=True, expected False, because"),
        ("AttentionUnet", {**UNET, "multiple": 2}, "fails on an image of 2×2 pixels, which multiple=2 and"),
        ("UNet", {**UNET, "multiple": 4}, "4×4 pixels, which multiple=4 and minimum=1 allow: Expected more than 1"),
        ("AttentionUnet", {**UNET, "multiple": 6, "minimum": 12}, "fails on an image of 12×18 pixels"),
        (
            "BasicUNetPlusPlus",
            {**NESTED, "minimum": 32, "deep_supervision": True},
            "in evaluation mode returns a list of length 4, expected one tensor; switch off additional outputs",
        ),
        (
            "SegResNetDS",
            {"init_filters": 8, "blocks_down": [1, 1, 1, 1], "dsdepth": 2, "minimum": 16},
            "in training mode returns a list of length 2, expected one tensor",
        ),
        (
            "DynUNet",
            {**DYNAMIC, "minimum": 32, "deep_supervision": True},
            "in training mode turns an image of 32×48 pixels into a 2×2×1×32×48 tensor, expected B×1×32×48",
        ),
        ("DenseNet121", {"minimum": 64}, "in evaluation mode turns an image of 64×64 pixels into a 1×1 tensor"),
    ],
)
def test_what_cannot_work_is_refused_before_training(name: str, arguments: dict, message: str) -> None:
    with pytest.raises(BundleError) as error:
        monai_network(name, **{"multiple": 16, **arguments})
    assert message in str(error.value)


def test_trying_it_out_changes_nothing() -> None:
    torch.manual_seed(0)
    plain = monai_network("AttentionUnet", multiple=4, **UNET).network
    after = torch.rand(1)
    torch.manual_seed(0)
    again = type(plain)(2, 1, 1, **UNET)
    assert torch.equal(torch.rand(1), after)
    assert plain.training
    for key, value in again.state_dict().items():
        assert torch.equal(value, plain.state_dict()[key]), key


def test_a_checkpoint_of_swin_unetr_is_built_as_before() -> None:
    network = swin_unetr(feature_size=12, norm=["group", {"num_groups": 4}])
    assert network.definition["network"] == "swin_unetr"
    assert "network.swinViT.patch_embed.proj.weight" in network.state_dict()
    assert network.padded_size(1, 65) == (64, 96)
    build_network(network.definition).load_state_dict(network.state_dict())
