from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from segmentation_models_pytorch.encoders import get_encoder

from cellseg_monai.errors import BundleError
from cellseg_monai.networks import smp_model


def test_logits_have_the_size_of_the_image() -> None:
    network = smp_model("unet", encoder_name="resnet18", in_channels=1, classes=2)
    assert network(torch.zeros(2, 1, 64, 32)).shape == (2, 2, 64, 32)


def test_a_misspelt_option_is_refused_with_the_correct_spelling() -> None:
    with pytest.raises(BundleError, match=r"no option 'decoder_use_nrm'; did you mean 'decoder_use_norm'\?"):
        smp_model("unet", encoder_name="resnet18", decoder_use_nrm=False)


def test_encoder_weights_are_loaded_from_a_file(tmp_path: Path) -> None:
    encoder = get_encoder("resnet18", in_channels=3)
    torch.save(encoder.state_dict(), tmp_path / "encoder.pt")
    network = smp_model("unet", encoder_name="resnet18", encoder_weights=str(tmp_path / "encoder.pt"), in_channels=1)
    # SMP sums the three input channels of the first layer into one; all other layers are loaded unchanged.
    torch.testing.assert_close(network.network.encoder.conv1.weight, encoder.conv1.weight.sum(1, keepdim=True))
    torch.testing.assert_close(network.network.encoder.layer4[1].conv2.weight, encoder.layer4[1].conv2.weight)


def test_encoder_weights_of_timm_are_loaded_from_a_file(tmp_path: Path) -> None:
    encoder = get_encoder("tu-resnet18", in_channels=3)
    torch.save(encoder.state_dict(), tmp_path / "encoder.pt")
    network = smp_model("unet", encoder_name="tu-resnet18", encoder_weights=str(tmp_path / "encoder.pt"))
    first, expected = network.network.encoder.model.conv1.weight, encoder.model.conv1.weight
    torch.testing.assert_close(first, expected.sum(1, keepdim=True))


def test_an_image_that_fits_is_not_padded() -> None:
    network = smp_model("unet", encoder_name="resnet18").eval()
    image = torch.rand(1, 1, 64, 32)
    with torch.no_grad():
        assert torch.equal(network(image), network.network(image))


@pytest.mark.parametrize(
    ("architecture", "options", "smallest", "next_larger"),
    [
        ("unet", {}, 32, 64),
        ("unet", {"encoder_depth": 3, "decoder_channels": (32, 16, 8)}, 8, 16),
        ("pspnet", {}, 48, 56),
        ("pspnet", {"encoder_depth": 4, "upsampling": 16}, 96, 112),
        ("pan", {}, 128, 144),
    ],
)
def test_pads_to_the_stride_of_the_encoder(architecture: str, options: dict, smallest: int, next_larger: int) -> None:
    network = smp_model(architecture, encoder_name="resnet18", **options).eval()
    assert network.padded_size(1, smallest + 1) == (smallest, next_larger)
    with torch.no_grad():
        assert network(torch.rand(1, 1, 1, smallest + 1)).shape == (1, 1, 1, smallest + 1)


def test_stages_that_are_not_run_are_dropped(tmp_path: Path) -> None:
    encoder = get_encoder("resnet18", in_channels=3)
    torch.save(encoder.state_dict(), tmp_path / "encoder.pt")
    network = smp_model("pspnet", encoder_name="resnet18", encoder_weights=str(tmp_path / "encoder.pt"))
    kept_encoder = network.network.encoder
    assert {key.split(".")[0] for key in kept_encoder.state_dict()} == {"conv1", "bn1", "layer1", "layer2"}
    torch.testing.assert_close(kept_encoder.layer2[1].conv2.weight, encoder.layer2[1].conv2.weight)
    assert kept_encoder.training
    assert kept_encoder.bn1.num_batches_tracked == 0
    assert all(parameter.grad is None for parameter in network.parameters())


def test_stages_whose_output_is_discarded_are_dropped(record: Callable[..., str]) -> None:
    network = smp_model("pspnet", encoder_name="efficientnet-b0").eval()
    assert sum(parameter.numel() for parameter in network.network.encoder._blocks[5:].parameters()) == 0
    with torch.no_grad():
        assert network(torch.zeros(1, 1, 48, 56)).shape == (1, 1, 48, 56)
    assert record(definition=network.definition, side=64, script=True) == ""


def test_a_missing_weights_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no encoder weights at .*gone\.pt"):
        smp_model("unet", encoder_name="resnet18", encoder_weights=str(tmp_path / "gone.pt"))


def test_weights_of_another_encoder_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1)}, tmp_path / "encoder.pt")
    with pytest.raises(BundleError, match="is not the state dict of a resnet18 encoder: 0 of"):
        smp_model("unet", encoder_name="resnet18", encoder_weights=str(tmp_path / "encoder.pt"))


@pytest.mark.parametrize(("name", "weights"), [("resnet18", "nonsense"), ("resnet999", None)])
def test_unknown_names_are_refused(name: str, weights: str | None) -> None:
    with pytest.raises(BundleError, match="Wrong"):
        smp_model("unet", encoder_name=name, encoder_weights=weights)


def test_a_failed_download_is_reported_with_its_remedies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # The hub's own offline switch, with an empty cache: nothing is downloaded or found.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(BundleError, match="cannot download the imagenet weights for resnet18; connect to the"):
        smp_model("unet", encoder_name="resnet18", encoder_weights="imagenet")
