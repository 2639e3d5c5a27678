import numpy as np

from cellseg_monai.training import panel


def test_panel_is_upright() -> None:
    image = np.zeros((1, 2, 3))
    image[0, 0, 2] = 10  # top right
    truth = np.array([[[1.0, 0, 0], [0, 0, 0]]])  # top left
    prediction = np.array([[[0.0, 0, 0], [1, 0, 0]]])  # bottom left
    picture = panel(image, truth, prediction)
    assert picture.shape == (2, 3 * 3 + 8, 3)
    parts = [picture[:, start : start + 3, 0] for start in (0, 7, 14)]
    assert parts[0].tolist() == [[0, 0, 255], [0, 0, 0]]
    assert parts[1].tolist() == [[255, 0, 0], [0, 0, 0]]
    assert parts[2].tolist() == [[0, 0, 0], [255, 0, 0]]


def test_panel_of_other_channel_counts_is_their_mean() -> None:
    image = np.zeros((4, 1, 2))
    image[:, 0, 1] = [1, 2, 3, 4]
    assert panel(image, np.zeros((1, 2)), np.zeros((1, 2)))[0, :2].tolist() == [[0, 0, 0], [255, 255, 255]]


def test_panel_of_a_large_image_is_thinned_out() -> None:
    mask = np.zeros((3000, 10))
    assert panel(mask[None], mask, mask).shape == (1000, 3 * 4 + 8, 3)


def test_panel_keeps_colours() -> None:
    image = np.zeros((3, 1, 1))
    image[1] = 1
    picture = panel(image, np.zeros((1, 1, 1)), np.zeros((1, 1, 1)))
    assert picture[0, 0].tolist() == [0, 255, 0]
