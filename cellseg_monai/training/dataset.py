"""Training items whose augmentation and order follow from seed, epoch and item alone.

A run that was killed and resumed must see what it would have seen. Random state that lives in workers can't be
saved; random state that is derived anew for each item needs no saving.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch.distributed as dist
from monai.data import DistributedSampler as EvenOrNotSampler
from monai.data import get_track_meta, set_track_meta
from monai.transforms import Compose, Randomizable
from torch.utils.data import Dataset, DistributedSampler

from cellseg_monai.errors import DatasetError
from cellseg_monai.training.distributed import process_count

__all__ = ["CropSampler", "PreparedDataset", "share_of_process"]

Item = Mapping[str, Any]
CropKey = tuple[int, int, int]


class PreparedDataset(Dataset):
    """Images prepared once and kept in memory, with random crops and changes anew each time.

    Args:
        data: the items, such as `{"image": path, "label": path}`.
        prepare: what is the same each time: reading, normalising. Its result is kept.
        augment: random transforms, the crop first; they must not write into what they are given; none
            for validation.
        seed: with the epoch, the item and the number of the crop it settles every random choice.
        cache_mb: memory for prepared items in MiB, in each process that loads (every worker has its own);
            items beyond it are prepared each time.
    """

    def __init__(
        self,
        data: Sequence[Item],
        prepare: Callable[[Item], Item],
        augment: Sequence[Callable] = (),
        seed: int = 0,
        cache_mb: float = 2048,
    ) -> None:
        self.data = list(data)
        self.prepare = prepare
        self.augment = Compose(list(augment))
        self.seed = seed
        self.cache_mb = cache_mb
        self._cache: dict[int, Item] = {}
        self._cached_bytes = 0

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, key: CropKey | int) -> Item:
        """The crop of `(epoch, index, crop)`; a plain index means crop 0 of epoch 0."""
        epoch, index, crop = (0, key, 0) if isinstance(key, int) else key
        entropy = np.random.SeedSequence([self.seed, epoch, index, crop])
        _share_random_state(self.augment, np.random.RandomState(entropy.generate_state(4)))
        # MetaTensor costs time in every transform and every collate, and nothing reads its metadata here.
        tracking = get_track_meta()
        set_track_meta(False)
        try:
            return self.augment(dict(self._prepared(index)))
        finally:
            set_track_meta(tracking)

    def _prepared(self, index: int) -> Item:
        if index in self._cache:
            return self._cache[index]
        item = self.prepare(dict(self.data[index]))
        size = sum(value.nbytes for value in item.values() if hasattr(value, "nbytes"))
        if self._cached_bytes + size <= self.cache_mb * 2**20:
            self._cache[index] = item
            self._cached_bytes += size
        return item


def share_of_process(dataset: Sequence[Any]) -> DistributedSampler:
    """The items that this process validates: every item in one process, none twice, none padded.

    Raises:
        DatasetError: there are fewer items than processes; one would have none and the others wait for it forever.
    """
    processes = dist.get_world_size()
    if len(dataset) < processes:
        raise DatasetError(
            f"{len(dataset)} validation images cannot be shared by {processes} processes; "
            "start fewer processes, or add validation images"
        )
    return EvenOrNotSampler(dataset, even_divisible=False, shuffle=False)


def _share_random_state(transform: Callable, state: np.random.RandomState) -> None:
    """Let all random transforms draw from one state; `Compose` would seed one for each, half the cost of a crop."""
    if isinstance(transform, Compose):
        transform.R = state
        for part in transform.transforms:
            _share_random_state(part, state)
    elif isinstance(transform, Randomizable):
        transform.set_random_state(state=state)


class CropSampler(DistributedSampler):
    """Keys `(epoch, index, crop)` of one epoch in an order settled by seed and epoch.

    It is a `DistributedSampler` because MONAI's trainer tells those, and only those, which epoch begins; each
    process takes its own share, one process all.

    Args:
        dataset: what is sampled.
        crops_per_image: how often an image is visited in an epoch, each time with another crop.
        seed: with the epoch it settles the order.
        length: how many crops an epoch has in each process, whatever the number of images; the images are then
            visited equally often, but for one visit. None: `crops_per_image` of each image.

    >>> sampler = CropSampler([10, 20], crops_per_image=2, seed=0)
    >>> sampler.set_epoch(3)
    >>> sorted(sampler)
    [(3, 0, 0), (3, 0, 1), (3, 1, 0), (3, 1, 1)]
    """

    def __init__(self, dataset: Any, crops_per_image: int = 1, seed: int = 0, length: int | None = None) -> None:
        processes = process_count()
        self.images = len(dataset)
        total = crops_per_image * self.images if length is None else length * processes
        # DistributedSampler pads what does not divide, and shares out positions in 0 ... total - 1.
        super().__init__(
            range(total),
            num_replicas=processes,
            rank=dist.get_rank() if processes > 1 else 0,
            seed=seed,
        )

    def __iter__(self) -> Iterator[CropKey]:
        # Which images have the visit more changes with the epoch.
        shift = self.epoch * len(self.dataset)
        for position in super().__iter__():
            yield self.epoch, (position + shift) % self.images, position // self.images
