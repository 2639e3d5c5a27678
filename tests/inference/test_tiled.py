"""The answer of a network to an image does not depend on how the image is cut."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.inferers import SlidingWindowInferer

from cellseg_monai.inference import TiledInferer, Tiles, over_symmetries, predict, predict_windows
from cellseg_monai.inference.tiled import blend


def blurred(batch):
    """A network of stride 1 whose answer at a pixel depends on the 3 pixels around it."""
    padded = np.pad(batch, [(0, 0), (0, 0), (3, 3), (3, 3)], mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7), axis=(2, 3))
    return windows.mean((-2, -1), dtype=np.float64).astype(np.float32)


@pytest.mark.parametrize("size", [(32, 32), (32, 96), (96, 32), (64, 64), (512, 512)])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_network_of_bounded_context_gives_the_same_answer_for_any_tiles(size, batch):
    image = np.random.default_rng(0).random((2, 130, 97), np.float32)
    logits = predict(image, blurred, Tiles(size, overlap=16, multiple=32, batch=batch))
    np.testing.assert_allclose(logits, blurred(image[np.newaxis])[0], atol=1e-6)


def test_windows_cover_each_pixel_of_the_image_once():
    image = np.random.default_rng(0).random((1, 100, 70), np.float32)
    found, times = np.zeros_like(image), np.zeros(image.shape[1:], int)
    tiles = Tiles((32, 48), overlap=16, multiple=8)
    for rows, columns, logits in predict_windows(lambda y, x: image[:, y, x], (100, 70), lambda batch: batch, tiles):
        found[:, rows, columns] = logits
        times[rows, columns] += 1
    assert (times == 1).all()
    np.testing.assert_allclose(found, image, atol=1e-6)


@settings(max_examples=60)
@given(st.tuples(st.integers(1, 90), st.integers(1, 90)), st.sampled_from([8, 16, 40]), st.integers(0, 8), st.data())
def test_overlapping_tiles_are_blended_by_their_weights(shape, size, overlap, data):
    tiles = Tiles((size, size), min(overlap, size // 2), data.draw(st.sampled_from([1, 4, 8])))
    down, across = tiles.cover(shape)
    said = np.random.default_rng(0).normal(size=(len(down.starts), len(across.starts), 2, down.size, across.size))
    whole = np.zeros((2, down.starts[-1] + down.size, across.starts[-1] + across.size))
    for row, top in enumerate(down.starts):
        for column, left in enumerate(across.starts):
            weights = np.outer(down.weights(row), across.weights(column))
            whole[:, top : top + down.size, left : left + across.size] += said[row, column] * weights
    answers = said.reshape(-1, *said.shape[2:]).astype(np.float32)
    answers.flags.writeable = False
    windows = list(blend(answers, down, across))  # all held at once: none is written to by those after it
    found = np.full((2, *shape), np.nan)
    for rows, columns, logits in windows:
        found[:, rows, columns] = logits
    np.testing.assert_allclose(found, whole[:, : shape[0], : shape[1]], atol=1e-5)


def test_windows_that_are_read_lie_within_the_image_and_are_no_larger_than_a_tile():
    seen = []

    def read(rows, columns):
        seen.append((rows, columns))
        return np.zeros((1, rows.stop - rows.start, columns.stop - columns.start), np.float32)

    list(predict_windows(read, (70, 50), lambda batch: batch, Tiles((32, 32), overlap=0)))
    assert all(rows.stop <= 70 and columns.stop <= 50 for rows, columns in seen)
    assert max(rows.stop - rows.start for rows, _ in seen) == 32
    assert max(columns.stop - columns.start for _, columns in seen) == 32


def test_the_mean_over_symmetries_is_symmetric():
    def leaning(batch):
        return np.cumsum(batch, axis=3) + 2 * np.cumsum(batch, axis=2)

    image = np.random.default_rng(0).random((1, 1, 6, 9), np.float32)
    answer = over_symmetries(leaning)
    for turned in (lambda x: np.rot90(x, axes=(2, 3)), lambda x: x[..., ::-1], lambda x: x[..., ::-1, :]):
        np.testing.assert_allclose(answer(turned(image)), turned(answer(image)), rtol=1e-5)


def test_votes_are_the_share_of_views_that_see_foreground():
    """The pixel at the end of a row is first in two of the eight views, and last in two."""
    answer = over_symmetries(
        lambda batch: np.broadcast_to(np.arange(batch.shape[3], dtype=np.float32), batch.shape),
        votes=lambda logits: logits[0] > 0,
    )
    votes = answer(np.zeros((1, 1, 1, 2), np.float32))[0, 1]
    # Views turned by 90° are one pixel wide, so that no pixel lies beyond the first.
    assert votes.tolist() == [[0.25, 0.25]]


def test_the_inferer_agrees_with_that_of_monai_for_a_network_that_sees_one_pixel():
    images = torch.rand(2, 1, 70, 90, generator=torch.Generator().manual_seed(0))
    network = torch.nn.Conv2d(1, 3, 1)
    with torch.inference_mode():
        ours = TiledInferer((32, 32), overlap=0.25)(images, network)
        theirs = SlidingWindowInferer((32, 32), overlap=0.25)(images, network)
    torch.testing.assert_close(ours, theirs)
