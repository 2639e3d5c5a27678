"""The losses, compared with values calculated by hand."""

import pytest
import torch
from monai.losses import DiceCELoss
from torch import nn

from cellseg_monai.heads import BoundaryClassesHead, BoundaryMasksHead, ForegroundHead, JoinedHeads
from cellseg_monai.training.losses import EdgeLoss, JoinedLoss


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


class PixelLoss(nn.Module):
    """A number that tells which channels a loss has seen."""

    def forward(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return 100 * logits.sum() + target.sum()


class DistanceHead(BoundaryMasksHead):
    """Two channels whose maps do not clash with those of another head."""

    maps = ("distance", "edge")


def test_each_head_has_its_own_loss_channels_and_weight() -> None:
    head = JoinedHeads((BoundaryClassesHead(), DistanceHead()))
    loss = JoinedLoss(head, [PixelLoss(), PixelLoss()], weights=[1, 10])
    logits = torch.tensor([1.0, 2, 3, 4, 5]).reshape(1, 5, 1, 1)
    target = torch.tensor([0.1, 0.2, 0.3]).reshape(1, 3, 1, 1)
    assert float(loss(logits, target)) == pytest.approx((600 + 0.1) + 10 * (900 + 0.5))


def test_joined_losses_train_the_whole_network() -> None:
    head = JoinedHeads((BoundaryClassesHead(), DistanceHead()))
    loss = JoinedLoss(head, [DiceCELoss(softmax=True, to_onehot_y=True), nn.BCEWithLogitsLoss()])
    logits = torch.zeros(1, 5, 4, 8, requires_grad=True)
    loss(logits, torch.cat([stripes(4)] * 3, dim=1)).backward()
    assert logits.grad is not None
    assert (logits.grad.abs().sum(dim=(0, 2, 3)) > 0).all()


@pytest.mark.parametrize(("losses", "weights"), [([], None), ([PixelLoss()], [1, 2])])
def test_a_head_without_a_loss_or_weight_is_refused(losses: list, weights: list | None) -> None:
    with pytest.raises(ValueError, match="expected one of each for every head: foreground"):
        JoinedLoss(JoinedHeads((ForegroundHead(),)), losses, weights)
