import pytest
import torch
from torch import nn

from cellseg_monai.comparison import Costs, network_costs
from cellseg_monai.networks import build_network


def test_a_convolution_by_hand() -> None:
    # 3 x 5 x 5 weights and a bias for each of 4 outputs; 2 x 75 operations for each of 4 x 8 x 8 values.
    network = nn.Conv2d(3, 4, kernel_size=5, padding=2)
    assert network_costs(network, in_channels=3, shape=(8, 8)) == Costs(4 * 76, 4 * 64 * 2 * 75)


def test_a_matrix_product_by_hand() -> None:
    # 7 inputs to 5 outputs, in each of 3 x 2 rows.
    network = nn.Linear(7, 5, bias=False)
    assert network_costs(network, in_channels=3, shape=(2, 7)) == Costs(35, 6 * 2 * 35)


def test_twice_the_image_is_twice_the_work() -> None:
    network = build_network({"network": "unet", "in_channels": 2, "classes": 1, "channels": [2, 4, 8]})
    small, large = (network_costs(network, 2, shape) for shape in ((32, 32), (32, 64)))
    assert large.flops == 2 * small.flops
    assert large.parameters == small.parameters


def test_counting_does_not_change_the_network() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network_costs(network.train(), 1)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


@pytest.mark.parametrize(
    "definition",
    [
        {"network": "smp_model", "architecture": "unet", "encoder_name": "resnet18"},
        {"network": "smp_model", "architecture": "pspnet", "encoder_name": "resnet18"},
    ],
    ids=["U-Net", "PSPNet"],
)
def test_networks_of_the_zoo_are_counted(definition: dict) -> None:
    costs = network_costs(build_network(definition), 1, (64, 64))
    assert costs.flops > costs.parameters > 0
