import json
from pathlib import Path

import pytest
from monai.bundle import ConfigParser
from torch import nn

from cellseg_monai.errors import BundleError
from cellseg_monai.networks import encoder_parameters, monai_network, unet_plus_plus

BUNDLES = Path(__file__).parents[2] / "bundles"
SEGMENTING = sorted({path.parents[1].name for path in BUNDLES.glob("*/configs/inference.json")} - {"scout"})


def check(network: nn.Module) -> None:
    """Check that the encoder holds the first layer and not the last, which parameters() names in this order."""
    encoder = {id(parameter) for parameter in encoder_parameters(network)}
    parameters = list(network.parameters())
    assert encoder < {id(parameter) for parameter in parameters}
    assert id(parameters[0]) in encoder
    assert id(parameters[-1]) not in encoder


@pytest.mark.parametrize("bundle", SEGMENTING)
def test_the_encoder_is_known_in_the_network_of_the_bundle(bundle: str) -> None:
    config = ConfigParser(json.loads((BUNDLES / bundle / "configs" / "train.json").read_text()))
    check(config.get_parsed_content("network_def"))


def test_the_encoder_is_known_in_the_network_of_the_variant_with_deep_supervision() -> None:
    check(unet_plus_plus(encoder_name="resnet18"))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("BasicUNet", {}),
        ("FlexibleUNet", {"backbone": "efficientnet-b0"}),
        ("SegResNet", {"init_filters": 8}),
        ("DynUNet", {"kernel_size": [3, 3, 3], "strides": [1, 2, 2], "upsample_kernel_size": [2, 2]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_encoder_is_known_in_monais(name: str, options: dict) -> None:
    check(monai_network(name, in_channels=1, classes=2, multiple=32, **options))


def test_the_encoder_of_monais_u_net_is_the_way_down_to_the_bottom() -> None:
    network = monai_network(
        "UNet", in_channels=1, classes=2, multiple=4, minimum=8, channels=(4, 8, 16), strides=(2, 2)
    )
    shapes = [tuple(parameter.shape) for parameter in encoder_parameters(network) if parameter.ndim == 4]
    assert shapes == [(4, 1, 3, 3), (8, 4, 3, 3), (16, 8, 3, 3)]


def test_a_network_without_a_known_encoder_is_named_with_a_remedy() -> None:
    with pytest.raises(BundleError, match=r"type Sequential, .* pass --frozen_epochs 0 --encoder_rate 1"):
        encoder_parameters(nn.Sequential(nn.Conv2d(1, 1, 1)))
