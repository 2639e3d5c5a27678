"""Starting a training from weights for images with another number of channels."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cellseg_monai.errors import CheckpointError
from cellseg_monai.networks import unet
from cellseg_monai.training import save_checkpoint, started_from


def network(channels: int, residual: bool = False) -> torch.nn.Module:
    return unet(in_channels=channels, classes=3, channels=(4, 8), residual=residual).eval()


@pytest.mark.parametrize(("stored", "wanted"), [(1, 3), (3, 1), (1, 1)], ids=["to colour", "to grey", "to the same"])
@pytest.mark.parametrize("residual", [False, True])
def test_an_image_with_equal_channels_gives_the_same_result(tmp_path: Path, stored, wanted, residual):
    torch.manual_seed(0)
    before = network(stored, residual)
    save_checkpoint({name: value.half() for name, value in before.state_dict().items()}, tmp_path / "model.pt")
    after = started_from(network(wanted, residual), tmp_path / "model.pt")
    image = torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        expected, got = (net(image.repeat(1, count, 1, 1)) for net, count in ((before, stored), (after, wanted)))
    torch.testing.assert_close(got, expected, rtol=0.01, atol=0.01)
    assert {value.dtype for value in after.state_dict().values()} == {torch.float32, torch.int64}


def test_other_differences_are_refused(tmp_path: Path):
    save_checkpoint(network(2).state_dict(), tmp_path / "two.pt")
    with pytest.raises(CheckpointError, match=r"two.pt belongs to another network: .* 1 have another shape"):
        started_from(network(3), tmp_path / "two.pt")
    wider = unet(in_channels=1, classes=3, channels=(8, 16))
    save_checkpoint(wider.state_dict(), tmp_path / "wider.pt")
    with pytest.raises(CheckpointError, match=r"wider.pt belongs to another network"):
        started_from(network(3), tmp_path / "wider.pt")
