from itertools import pairwise
from pathlib import Path

import pytest
import torch
from monai.losses import DeepSupervisionLoss, DiceLoss
from segmentation_models_pytorch.encoders import get_encoder
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cellseg_monai.errors import BundleError
from cellseg_monai.networks import set_pruning, smp_model, unet_plus_plus


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return unet_plus_plus(encoder_name="resnet18", decoder_channels=(32, 16, 8, 8, 8)).eval()


def all_levels(network: nn.Module, image: torch.Tensor) -> list[torch.Tensor]:
    """What training gives, with the normalisation of evaluation: the deepest level first."""
    network.network.training = True
    with torch.no_grad():
        answers = network(image)
    network.network.training = False
    return answers


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_pruned_it_answers_what_the_level_answers(network: nn.Module, level: int) -> None:
    image = torch.rand(1, 1, 40, 64)
    expected = all_levels(network, image)
    assert len(expected) == 4
    set_pruning(network, level)
    with torch.no_grad():
        torch.testing.assert_close(network(image), expected[4 - level])


def test_the_levels_answer_differently(network: nn.Module) -> None:
    answers = all_levels(network, torch.rand(1, 1, 64, 64))
    assert all(not torch.allclose(one, other) for one, other in pairwise(answers))


@pytest.mark.parametrize("level", [1, 2, 3])
def test_pruned_it_does_not_touch_what_lies_deeper(network: nn.Module, level: int) -> None:
    inner = network.network
    deeper = [inner.encoder.layer1, inner.encoder.layer2, inner.encoder.layer3, inner.encoder.layer4][level:]
    deeper += [node for name, node in inner.nodes.items() if sum(map(int, name.split("_")[1:])) > level]
    deeper += [head for index, head in enumerate(inner.heads, start=1) if index != level]
    for parameter in (parameter for module in deeper for parameter in module.parameters()):
        nn.init.constant_(parameter, float("nan"))
    image = torch.rand(1, 1, 64, 64)
    set_pruning(network, level)
    assert network(image).isfinite().all()
    set_pruning(network, level + 1)
    assert not network(image).isfinite().any()


@pytest.mark.parametrize("encoder_name", ["resnet18", "efficientnet-b0"])
def test_each_level_costs_more(encoder_name: str) -> None:
    network = unet_plus_plus(encoder_name=encoder_name).eval()
    costs = []
    for level in range(1, 5):
        set_pruning(network, level)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.zeros(1, 1, 64, 64))
        costs.append(counter.get_total_flops())
    assert costs == sorted(set(costs))
    assert len(costs) == 4


def test_monais_deep_supervision_takes_the_list() -> None:
    torch.manual_seed(0)
    network = unet_plus_plus(encoder_name="resnet18")
    loss = DeepSupervisionLoss(DiceLoss(sigmoid=True))(network(torch.rand(2, 1, 64, 64)), torch.ones(2, 1, 64, 64))
    loss.backward()
    assert 0 < loss < 2


def test_the_definition_tells_the_level(network: nn.Module) -> None:
    wrapped = nn.Sequential(network)
    assert set_pruning(wrapped, 3) is wrapped
    assert network.network.prune == network.definition["prune"] == 3


@pytest.mark.parametrize("level", [0, 5, "4"])
def test_there_is_no_such_level(network: nn.Module, level: object) -> None:
    with pytest.raises(BundleError, match=r"pruned to level .*; give 1 to 4"):
        set_pruning(network, level)


def test_without_a_level_any_network_stays(network: nn.Module) -> None:
    assert set_pruning(network, None).network.prune == 4
    other = nn.Conv2d(1, 1, 1)
    assert set_pruning(other, None) is other


def test_other_networks_cannot_be_pruned() -> None:
    with pytest.raises(BundleError, match=r"Conv2d holds no U-Net\+\+"):
        set_pruning(nn.Conv2d(1, 1, 1), 1)


@pytest.mark.parametrize("encoder_name", ["mit_b0", "tu-resnet18"])
def test_an_encoder_that_cannot_stop_early_is_refused(encoder_name: str) -> None:
    with pytest.raises(BundleError, match=f"the encoder {encoder_name} does not give features at .* such as resnet34"):
        unet_plus_plus(encoder_name=encoder_name)


def test_an_unknown_encoder_is_refused() -> None:
    with pytest.raises(BundleError, match="Wrong encoder name"):
        unet_plus_plus(encoder_name="resnet999")


def test_encoder_weights_are_those_of_smp_model(tmp_path: Path) -> None:
    torch.save(get_encoder("resnet18", in_channels=3).state_dict(), tmp_path / "encoder.pt")
    words = {"encoder_name": "resnet18", "encoder_weights": str(tmp_path / "encoder.pt"), "in_channels": 2}
    nested, plain = unet_plus_plus(**words).network.encoder, smp_model("unet", **words).network.encoder
    for key, value in plain.state_dict().items():
        torch.testing.assert_close(nested.state_dict()[key], value)
