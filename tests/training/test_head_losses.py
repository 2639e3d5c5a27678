"""The losses of single heads, compared with values calculated by hand or by torch."""

import math

import pytest
import torch
from torch.nn import functional

from cellseg_monai.heads import BoundaryMasksHead, CellClassHead, ImageClassHead, JoinedHeads
from cellseg_monai.training.head_losses import ClassLoss, MaskLoss
from cellseg_monai.training.losses import JoinedLoss


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


class TestClassLoss:
    def test_it_is_the_weighted_mean_over_known_pixels(self) -> None:
        # The logits give class 0 a probability of 3/4; class 1 counts twice.
        logits = torch.tensor([math.log(3.0), 0.0]).reshape(1, 2, 1, 1).expand(1, 2, 1, 3)
        target = torch.tensor([0.0, 1.0, -1.0]).reshape(1, 1, 1, 3)
        expected = (math.log(4 / 3) + 2 * math.log(4)) / 3
        assert float(ClassLoss([1, 2])(logits, target)) == pytest.approx(expected)

    @pytest.mark.parametrize("weights", [None, [1.0, 0.5, 4.0]])
    @pytest.mark.parametrize("smoothing", [0.0, 0.1])
    def test_with_every_class_known_it_is_the_cross_entropy_of_torch(self, weights, smoothing) -> None:
        logits, numbers = random(2, 3, 5, 4), torch.arange(40).reshape(2, 5, 4) % 3
        expected = functional.cross_entropy(
            logits, numbers, weight=None if weights is None else torch.tensor(weights), label_smoothing=smoothing
        )
        ours = ClassLoss(weights, smoothing=smoothing)(logits, numbers[:, None].float())
        torch.testing.assert_close(ours, expected)

    def test_unknown_pixels_have_no_gradient(self) -> None:
        logits = random(1, 3, 2, 2).requires_grad_()
        target = torch.tensor([[0.0, -1.0], [-1.0, 2.0]]).reshape(1, 1, 2, 2)
        ClassLoss()(logits, target).backward()
        assert (logits.grad.abs().sum(dim=1)[0] > 0).tolist() == [[True, False], [False, True]]

    def test_without_a_known_class_loss_and_gradient_are_zero(self) -> None:
        logits = random(1, 3, 2, 2).requires_grad_()
        loss = ClassLoss([1, 2, 3])(logits, torch.full((1, 1, 2, 2), -1.0))
        loss.backward()
        assert loss.item() == 0
        assert not logits.grad.any()


class TestMaskLoss:
    def test_the_entropy_of_each_mask_has_its_weight(self) -> None:
        logits, target = torch.zeros(1, 2, 2, 2), torch.ones(1, 2, 2, 2)
        assert float(MaskLoss([1, 4], dice=0)(logits, target)) == pytest.approx(2.5 * math.log(2))

    def test_masks_are_independent(self) -> None:
        # A softmax over the channels could not give both masks.
        target = torch.ones(1, 2, 4, 4)
        assert float(MaskLoss()(torch.full((1, 2, 4, 4), 40.0), target)) == pytest.approx(0, abs=1e-4)

    def test_dice_alone_is_one_minus_the_overlap(self) -> None:
        logits, target = torch.full((1, 1, 2, 2), 40.0), torch.tensor([[1.0, 1], [0, 0]]).reshape(1, 1, 2, 2)
        assert float(MaskLoss(bce=0)(logits, target)) == pytest.approx(1 - 4 / 6, abs=1e-4)


def test_an_image_without_classes_has_the_loss_of_its_masks_alone() -> None:
    head = JoinedHeads(
        (BoundaryMasksHead(), CellClassHead(("round", "long")), ImageClassHead(("a", "b", "c"), tag="cell_type"))
    )
    masks = MaskLoss([1, 4])
    joined = JoinedLoss(head, [masks, ClassLoss(), ClassLoss()], weights=[1, 0.5, 0.1])
    logits = random(2, 7, 8, 8)
    labels = torch.zeros(8, 8, dtype=torch.int32)
    labels[2:6, 2:6] = 3
    target = torch.from_numpy(head.encode(labels.numpy()))[None].expand(2, -1, -1, -1)
    torch.testing.assert_close(joined(logits, target), masks(logits[:, :2], target[:, :2]))
