"""Training items and their order depend only on seed, epoch and item."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.transforms import RandFlipd, RandGaussianNoised
from torch.utils.data import DataLoader

from cellseg_monai.training import CropSampler, PreparedDataset


class Prepare:
    """A transform that counts its calls; at module level, so that spawned workers can unpickle it."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, item: dict) -> dict:
        self.calls += 1
        return {"image": torch.full((1, 4, 4), float(item["value"]))}


def dataset(seed: int = 0, **options: float) -> PreparedDataset:
    augment = [RandFlipd("image", prob=0.5), RandGaussianNoised("image", prob=1.0)]
    return PreparedDataset([{"value": 1}, {"value": 2}], Prepare(), augment, seed=seed, **options)


def test_a_key_gives_the_same_item_in_any_order() -> None:
    first, second = dataset(), dataset()
    forward = [first[3, 0, 0]["image"], first[3, 1, 0]["image"]]
    backward = [second[3, 1, 0]["image"], second[3, 0, 0]["image"]]
    assert torch.equal(forward[0], backward[1])
    assert torch.equal(forward[1], backward[0])


@pytest.mark.parametrize("key", [(4, 0, 0), (3, 0, 1), (3, 1, 0)], ids=["epoch", "crop", "item"])
def test_a_key_that_differs_in_one_part_gives_another_item(key: tuple[int, int, int]) -> None:
    data = dataset()
    assert not torch.equal(data[3, 0, 0]["image"], data[key]["image"])


def test_another_seed_gives_another_item() -> None:
    assert not torch.equal(dataset(seed=0)[0, 0, 0]["image"], dataset(seed=1)[0, 0, 0]["image"])


def test_items_are_prepared_once_and_not_changed() -> None:
    data = dataset()
    first = data[0, 0, 0]["image"]
    for epoch in range(3):
        data[epoch, 0, 0]
    assert data.prepare.calls == 1
    assert torch.equal(data[0, 0, 0]["image"], first)


def test_items_beyond_the_cache_are_prepared_each_time() -> None:
    data = dataset(cache_mb=0)
    for epoch in range(3):
        data[epoch, 0, 0]
    assert data.prepare.calls == 3


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_give_the_same_items_as_the_main_process(start: str) -> None:
    def epoch(workers: int) -> torch.Tensor:
        data = dataset()
        sampler = CropSampler(data, crops_per_image=3, seed=1)
        sampler.set_epoch(2)
        context = start if workers else None
        loader = DataLoader(data, batch_size=2, sampler=sampler, num_workers=workers, multiprocessing_context=context)
        return torch.cat([batch["image"] for batch in loader])

    assert torch.equal(epoch(0), epoch(1))


@given(images=st.integers(1, 20), crops=st.integers(1, 4), epoch=st.integers(0, 1000))
def test_an_epoch_visits_every_crop_once_in_a_reproducible_order(images: int, crops: int, epoch: int) -> None:
    sampler = CropSampler(range(images), crops_per_image=crops, seed=0)
    sampler.set_epoch(epoch)
    keys = list(sampler)
    assert sorted(keys) == [(epoch, image, crop) for image in range(images) for crop in range(crops)]
    assert keys == list(sampler)
    assert len(sampler) == len(keys)


@given(images=st.integers(1, 20), length=st.integers(1, 50), epoch=st.integers(0, 1000))
def test_an_epoch_of_a_given_length_visits_images_equally_often(images: int, length: int, epoch: int) -> None:
    sampler = CropSampler(range(images), seed=0, length=length)
    sampler.set_epoch(epoch)
    keys = list(sampler)
    assert len(keys) == len(set(keys)) == len(sampler) == length
    visits = np.bincount([index for _, index, _ in keys], minlength=images)
    assert visits.max() - visits.min() <= 1


def test_the_extra_visit_goes_to_a_different_image_in_each_epoch() -> None:
    sampler = CropSampler(range(3), seed=0, length=4)
    twice = set()
    for epoch in range(3):
        sampler.set_epoch(epoch)
        twice.add(np.bincount([index for _, index, _ in sampler]).argmax())
    assert twice == {0, 1, 2}


def test_the_order_changes_from_epoch_to_epoch() -> None:
    sampler = CropSampler(range(50), seed=0)
    orders = []
    for epoch in (1, 2):
        sampler.set_epoch(epoch)
        orders.append([index for _, index, _ in sampler])
    assert np.not_equal(*orders).any()


def test_weights_share_out_the_crops() -> None:
    sampler = CropSampler(range(3), seed=0, length=40, weights=[1, 2, 5])
    for epoch in range(3):
        sampler.set_epoch(epoch)
        keys = list(sampler)
        counts = [sum(image == number for _, image, _ in keys) for number in range(3)]
        assert len(set(keys)) == len(keys) == 40
        assert all(abs(count - share) < 1 for count, share in zip(counts, (5, 10, 25), strict=True))
        assert keys == list(sampler)


def test_the_number_of_weights_has_to_be_that_of_the_images() -> None:
    with pytest.raises(ValueError, match="got 2 weights for 3 images"):
        CropSampler(range(3), weights=[1, 1])
