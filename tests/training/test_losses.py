import pytest
import torch
from monai.losses import DiceCELoss
from torch import nn

from cellseg_monai.training.losses import EdgeLoss


def sure(target: torch.Tensor, classes: int) -> torch.Tensor:
    """Logits that give each pixel its class, all but certainly."""
    return 40 * nn.functional.one_hot(target[:, 0].long(), classes).permute(0, 3, 1, 2).float()


def stripes(edge: int) -> torch.Tensor:
    """Class 0 left of a column, class 1 from there on; 1×1×4×8."""
    return (torch.arange(8) >= edge).float().expand(1, 1, 4, 8)


class Nothing(nn.Module):
    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return logits.sum() * 0


def test_a_displaced_edge_costs_both_gradients_that_differ() -> None:
    # Each step of height 1 has a gradient of 1/2 in the two columns beside it. With edges at 3 and 4 the difference is
    # a ridge one column wide: gradients of 1/2 left and right of it. Along the other axis there are none.
    loss = EdgeLoss(Nothing(), softmax=True)(sure(stripes(3), 2), stripes(4))
    assert float(loss) == pytest.approx(2 * 0.5 / 8 / 2)
    assert float(EdgeLoss(Nothing(), softmax=True)(sure(stripes(4), 2), stripes(4))) == pytest.approx(0, abs=1e-6)


def test_the_weight_scales_the_edges_alone() -> None:
    region = DiceCELoss(softmax=True, to_onehot_y=True)
    logits, target = sure(stripes(3), 3).double(), stripes(4).double()
    plain, doubled = (EdgeLoss(region, weight=weight)(logits, target) - region(logits, target) for weight in (1, 2))
    assert float(doubled) == pytest.approx(2 * float(plain))
    assert float(plain) > 0
    assert float(EdgeLoss(region, weight=0)(logits, target)) == pytest.approx(float(region(logits, target)))


def test_masks_with_a_sigmoid_each_are_compared_channel_by_channel() -> None:
    target = torch.cat([stripes(4), stripes(2)], dim=1)
    loss = EdgeLoss(Nothing(), softmax=False)
    assert float(loss(40 * (target - 0.5), target)) == pytest.approx(0, abs=1e-6)
    swapped = target.flip(1)
    assert float(loss(40 * (swapped - 0.5), target)) > 0


def test_blurred_logits_are_drawn_to_the_edge() -> None:
    logits = torch.zeros(1, 2, 4, 8, requires_grad=True)
    EdgeLoss(Nothing())(logits, stripes(4)).backward()
    # More of class 1 right of the edge lowers the loss, and less of it left of the edge.
    assert logits.grad is not None
    assert (logits.grad[0, 1, :, 4] < 0).all()
    assert (logits.grad[0, 1, :, 3] > 0).all()
