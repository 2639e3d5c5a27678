import numpy as np
import pytest
import torch

from cellseg_monai.labels import foreground_probability


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
