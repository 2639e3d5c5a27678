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
    """Return the logits of training mode, the deepest level first, with the normalisation of evaluation mode."""
    network.network.training = True
    with torch.no_grad():
        outputs = network(image)
    network.network.training = False
    return outputs


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_a_pruned_network_returns_the_logits_of_its_level(network: nn.Module, level: int) -> None:
    image = torch.rand(1, 1, 40, 64)
    expected = all_levels(network, image)
    assert len(expected) == 4
    set_pruning(network, level)
    with torch.no_grad():
        torch.testing.assert_close(network(image), expected[4 - level])


def test_levels_have_different_logits(network: nn.Module) -> None:
    outputs = all_levels(network, torch.rand(1, 1, 64, 64))
    assert all(not torch.allclose(first, second) for first, second in pairwise(outputs))


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_pruned_network_does_not_run_deeper_levels(network: nn.Module, level: int) -> None:
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
def test_each_deeper_level_costs_more(encoder_name: str) -> None:
    network = unet_plus_plus(encoder_name=encoder_name).eval()
    costs = []
    for level in range(1, 5):
        set_pruning(network, level)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.zeros(1, 1, 64, 64))
        costs.append(counter.get_total_flops())
    assert costs == sorted(set(costs))
    assert len(costs) == 4


def test_deep_supervision_loss_of_monai_accepts_the_list() -> None:
    torch.manual_seed(0)
    network = unet_plus_plus(encoder_name="resnet18")
    loss = DeepSupervisionLoss(DiceLoss(sigmoid=True))(network(torch.rand(2, 1, 64, 64)), torch.ones(2, 1, 64, 64))
    loss.backward()
    assert 0 < loss < 2


def test_the_definition_records_the_level(network: nn.Module) -> None:
    wrapped = nn.Sequential(network)
    assert set_pruning(wrapped, 3) is wrapped
    assert network.network.prune == network.definition["prune"] == 3


@pytest.mark.parametrize("level", [0, 5, "4"])
def test_an_unknown_level_is_refused(network: nn.Module, level: object) -> None:
    with pytest.raises(BundleError, match=r"got pruning level .*, expected 1 to 4"):
        set_pruning(network, level)


def test_pruning_to_no_level_leaves_any_network_unchanged(network: nn.Module) -> None:
    assert set_pruning(network, None).network.prune == 4
    convolution = nn.Conv2d(1, 1, 1)
    assert set_pruning(convolution, None) is convolution


def test_other_networks_cannot_be_pruned() -> None:
    with pytest.raises(BundleError, match=r"Conv2d contains no prunable U-Net\+\+"):
        set_pruning(nn.Conv2d(1, 1, 1), 1)


@pytest.mark.parametrize("encoder_name", ["mit_b0", "tu-resnet18"])
def test_an_encoder_that_cannot_stop_early_is_refused(encoder_name: str) -> None:
    with pytest.raises(
        BundleError, match=f"the encoder {encoder_name} does not return features at .* such as resnet34"
    ):
        unet_plus_plus(encoder_name=encoder_name)


def test_an_unknown_encoder_is_refused() -> None:
    with pytest.raises(BundleError, match="Wrong encoder name"):
        unet_plus_plus(encoder_name="resnet999")


def test_encoder_weights_are_loaded_as_in_smp_model(tmp_path: Path) -> None:
    torch.save(get_encoder("resnet18", in_channels=3).state_dict(), tmp_path / "encoder.pt")
    arguments = {"encoder_name": "resnet18", "encoder_weights": str(tmp_path / "encoder.pt"), "in_channels": 2}
    nested, plain = unet_plus_plus(**arguments).network.encoder, smp_model("unet", **arguments).network.encoder
    for key, value in plain.state_dict().items():
        torch.testing.assert_close(nested.state_dict()[key], value)
