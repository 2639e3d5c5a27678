import numpy as np
import pytest
import torch

from cellseg_monai.decoding import boundary_probabilities, foreground_probability


def test_one_channel_is_a_sigmoid():
    logits = np.array([[[-200.0, 0.0, np.log(3), 200.0]]], np.float32)
    probabilities = foreground_probability(logits)
    assert probabilities.dtype == np.float32
    assert probabilities[0, 0].tolist() == pytest.approx([0, 0.5, 0.75, 1])


def test_two_channels_are_a_softmax_of_which_the_second_counts():
    logits = torch.tensor([[[1.0, -3.0, 100.0]], [[2.0, -3.0, -100.0]]])
    expected = torch.softmax(logits, dim=0)[1:]
    np.testing.assert_allclose(foreground_probability(logits.numpy()), expected.numpy(), atol=1e-7)


@pytest.mark.parametrize("shape", [(3, 2, 2), (0, 2, 2), (2, 2), (1, 1, 2, 2)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"\(1, Y, X\) or \(2, Y, X\) was expected"):
        foreground_probability(np.zeros(shape))


def test_half_precision_is_widened_before_a_difference_that_it_cannot_hold():
    logits = np.array([[[60_000.0]], [[-60_000.0]]], np.float16)
    assert foreground_probability(logits).tolist() == [[[0]]]
    assert foreground_probability(logits[::-1]).tolist() == [[[1]]]


def test_three_classes_are_a_softmax_of_foreground_with_boundary_and_of_boundary():
    # exp: 1, 2, 5
    logits = np.log([[[1.0]], [[2.0]], [[5.0]]]).astype(np.float32)
    found = boundary_probabilities(logits)
    assert found.dtype == np.float32
    assert found[:, 0, 0].tolist() == pytest.approx([7 / 8, 5 / 8])


def test_two_masks_are_a_sigmoid_each():
    found = boundary_probabilities(np.array([[[np.log(3)]], [[-200.0]]], np.float64))
    assert found.dtype == np.float32
    assert found[:, 0, 0].tolist() == pytest.approx([0.75, 0])


@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_are_within_0_and_1_whatever_the_logits(classes):
    logits = np.random.default_rng(0).normal(0, 20, (classes, 90, 90))
    for dtype in (np.float16, np.float32, np.float64):
        found = boundary_probabilities(logits.astype(dtype))
        assert found.min() >= 0
        assert found.max() <= 1
    assert boundary_probabilities(np.zeros((classes, 0, 4))).shape == (2, 0, 4)


@pytest.mark.parametrize("shape", [(1, 2, 2), (4, 2, 2), (3, 2), (1, 3, 2, 2)])
def test_other_shapes_are_no_boundary(shape):
    with pytest.raises(ValueError, match=r"\(3, Y, X\) or \(2, Y, X\) was expected"):
        boundary_probabilities(np.zeros(shape))
