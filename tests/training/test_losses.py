"""The edge loss, compared with values calculated by hand."""

import pytest
import torch
from monai.losses import DiceCELoss
from torch import nn

from cellseg_monai.training.losses import EdgeLoss


def certain_logits(target: torch.Tensor, classes: int) -> torch.Tensor:
    """Return logits that give each pixel its class with near certainty."""
    return 40 * nn.functional.one_hot(target[:, 0].long(), classes).permute(0, 3, 1, 2).float()


def stripes(edge: int) -> torch.Tensor:
    """Return 1×1×4×8 class numbers: 0 left of a column, 1 from that column on."""
    return (torch.arange(8) >= edge).float().expand(1, 1, 4, 8)


class ZeroLoss(nn.Module):
    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return logits.sum() * 0


def test_the_loss_of_a_displaced_edge() -> None:
    # A step of height 1 has a gradient of 1/2 in the two columns next to it. With edges at 3 and 4, the difference is a
    # ridge one column wide, with gradients of 1/2 to its left and right. Along the other axis there are none.
    loss = EdgeLoss(ZeroLoss(), softmax=True)
    displaced, exact = (float(loss(certain_logits(stripes(edge), 2), stripes(4))) for edge in (3, 4))
    assert displaced == pytest.approx(2 * 0.5 / 8 / 2)
    assert exact == pytest.approx(0, abs=1e-6)


def test_the_weight_scales_only_the_edge_term() -> None:
    region = DiceCELoss(softmax=True, to_onehot_y=True)
    logits, target = certain_logits(stripes(3), 3).double(), stripes(4).double()
    plain, doubled = (EdgeLoss(region, weight=weight)(logits, target) - region(logits, target) for weight in (1, 2))
    assert float(doubled) == pytest.approx(2 * float(plain))
    assert float(plain) > 0
    assert float(EdgeLoss(region, weight=0)(logits, target)) == pytest.approx(float(region(logits, target)))


def test_sigmoid_masks_are_compared_channel_by_channel() -> None:
    target = torch.cat([stripes(4), stripes(2)], dim=1)
    loss = EdgeLoss(ZeroLoss(), softmax=False)
    assert float(loss(40 * (target - 0.5), target)) == pytest.approx(0, abs=1e-6)
    swapped = target.flip(1)
    assert float(loss(40 * (swapped - 0.5), target)) > 0


def test_the_gradient_sharpens_a_blurred_edge() -> None:
    logits = torch.zeros(1, 2, 4, 8, requires_grad=True)
    EdgeLoss(ZeroLoss())(logits, stripes(4)).backward()
    # More of class 1 right of the edge lowers the loss, and less of it left of the edge.
    assert logits.grad is not None
    assert (logits.grad[0, 1, :, 4] < 0).all()
    assert (logits.grad[0, 1, :, 3] > 0).all()
