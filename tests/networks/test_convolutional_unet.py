import pytest
import torch
from torch import nn

from cellseg_monai.networks import attention_maps, smp_model, swin_unet, unet
from cellseg_monai.networks.attention_gate import AttentionGate


def count(network: nn.Module) -> int:
    """Count parameters as Keras does, including the running statistics of batch normalisation."""
    statistics = (buffer for buffer in network.buffers() if buffer.is_floating_point())
    return sum(values.numel() for values in (*network.parameters(), *statistics))


@pytest.mark.parametrize(
    ("variant", "published"),
    [({}, 31.40e6), ({"attention": True}, 37.33e6), ({"attention": True, "residual": True}, 39.09e6)],
    ids=["simple", "attention", "residual attention"],
)
def test_number_of_parameters_matches_the_publication_for_the(variant: dict, published: float) -> None:
    # The meta device allocates no memory; only the number of parameters matters.
    with torch.device("meta"):
        network = unet(in_channels=3, **variant)
    # Published are two decimals; the published network also has batch normalisation in its head, with four numbers.
    assert count(network) == pytest.approx(published, abs=0.01e6)


def test_number_of_parameters_of_swin_unet_matches_the_publication() -> None:
    assert count(swin_unet(in_channels=3, classes=9)) == pytest.approx(27.17e6, abs=0.01e6)


@pytest.mark.parametrize("norm", [True, False])
def test_batch_normalisation_is_present_or_absent(norm: bool) -> None:
    network = unet(channels=(4, 8), norm=norm, residual=True, attention=True)
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules()) is norm


@pytest.mark.parametrize(("skips", "expected"), [("concat", 12), ("add", 4)])
def test_number_of_decoder_channels_depends_on_skips(skips: str, expected: int) -> None:
    block = unet(channels=(4, 8), skips=skips).network.decoder[0].block
    assert block.body[0][0].in_channels == expected


def test_a_residual_block_with_a_zero_body_equals_its_shortcut() -> None:
    block = unet(channels=(4, 8), residual=True).network.encoder[1].eval()
    nn.init.zeros_(block.body[2][0].weight)
    nn.init.zeros_(block.body[2][0].bias)
    features = torch.rand(1, 4, 6, 6)
    torch.testing.assert_close(block(features), block.activation(block.shortcut(features)))


def test_a_closed_gate_lets_nothing_through() -> None:
    torch.manual_seed(0)
    gate = AttentionGate(skip_channels=2, gating_channels=4).eval()
    nn.init.constant_(gate.coefficients[1].bias, -200.0)
    skips = torch.rand(2, 1, 2, 8, 8)
    features = torch.rand(1, 4, 4, 4)
    torch.testing.assert_close(gate(skips[0], features), gate(skips[1], features))


def test_attention_maps_are_coefficients_enlarged_to_the_image() -> None:
    torch.manual_seed(0)
    network = unet(channels=(4, 8, 16), attention=True).train()
    network.network.encoder[0].eval()
    image = torch.rand(2, 1, 13, 18)
    deep, shallow = attention_maps(network, image)
    for gate_map in (deep, shallow):
        assert gate_map.shape == (2, 1, 13, 18)
        assert gate_map.min() > 0
        assert gate_map.max() < 1
        assert gate_map.std() > 0
    # The image is padded to 16×20; the gates see it at 1/4 and 1/2, so blocks of coefficients are equal.
    assert torch.equal(deep[..., 0:12:4, 0:16:4], deep[..., 3:12:4, 3:16:4])
    assert torch.equal(shallow[..., 0:12:2, 0:18:2], shallow[..., 1:12:2, 1:18:2])
    assert not torch.equal(shallow[..., 0:12:4, 0:16:4], shallow[..., 3:12:4, 3:16:4])


def test_attention_maps_leave_the_network_unchanged() -> None:
    network = unet(channels=(4, 8), attention=True).train()
    network.network.encoder[0].eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    attention_maps(network, torch.rand(1, 1, 8, 8))
    with pytest.raises(ValueError, match="with 2 channels"):
        attention_maps(network, torch.rand(1, 2, 8, 8))
    assert network.training
    assert not network.network.encoder[0].training
    assert not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_a_network_without_gates_has_no_maps() -> None:
    assert attention_maps(unet(channels=(4, 8)), torch.rand(1, 1, 8, 8)) == []
    assert attention_maps(smp_model("unet", encoder_name="resnet18"), torch.rand(1, 1, 32, 32)) == []
