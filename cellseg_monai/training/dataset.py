"""Training items whose augmentation and order depend only on seed, epoch and item.

A resumed run must see the crops that the uninterrupted run would have seen. Random state that lives in workers cannot
be saved. Random state that is derived from scratch for each item does not need to be. Augmentation is seeded by (seed,
epoch, item, crop), and the order by (seed, epoch), so the number of workers does not matter. The global random state,
which dropout uses, is saved in `last.pt`.
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
    """Images that are prepared once and kept in memory, with a new random crop and augmentation each time.

    Args:
        data: the items, such as `{"image": path, "label": path}`.
        prepare: transform whose result is always the same, such as reading and normalising, and is kept in memory.
        augment: random transforms, the crop first, which must not modify their input in place; empty for validation.
        seed: seed that, with the epoch, the item and the number of the crop, determines every random choice.
        cache_mb: memory for prepared items in MiB, in each loading process (every worker has its own cache). Items
            beyond it are prepared each time.
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
        """Return the crop for `(epoch, index, crop)`; a plain index means crop 0 of epoch 0."""
        epoch, index, crop = (0, key, 0) if isinstance(key, int) else key
        entropy = np.random.SeedSequence([self.seed, epoch, index, crop])
        _share_random_state(self.augment, np.random.RandomState(entropy.generate_state(4)))
        # MetaTensor costs time in every transform and every collation, and nothing here reads its metadata.
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
    """Return a sampler of the items that this process validates: each item in exactly one process, without padding.

    Raises:
        DatasetError: there are fewer items than processes. A process without items would block the others forever.
    """
    processes = dist.get_world_size()
    if len(dataset) < processes:
        raise DatasetError(
            f"got {len(dataset)} validation images for {processes} processes, expected at least one for each; "
            "start fewer processes, or add validation images"
        )
    return EvenOrNotSampler(dataset, even_divisible=False, shuffle=False)


def _share_random_state(transform: Callable, state: np.random.RandomState) -> None:
    """Make all random transforms draw from one state.

    `Compose` would create and seed a state for each transform, which accounts for half the time of a crop.
    """
    if isinstance(transform, Compose):
        transform.R = state
        for part in transform.transforms:
            _share_random_state(part, state)
    elif isinstance(transform, Randomizable):
        transform.set_random_state(state=state)


class CropSampler(DistributedSampler):
    """A sampler of keys `(epoch, index, crop)` for one epoch, in an order that depends only on seed and epoch.

    It is a `DistributedSampler` because MONAI's trainer announces a new epoch to that class only. Each process gets
    its own share of the keys.

    Args:
        dataset: the data set to sample.
        crops_per_image: number of visits to each image in an epoch, each with another crop.
        seed: seed that, with the epoch, determines the order.
        length: number of crops per epoch in each process, regardless of the number of images. The numbers of visits
            to two images then differ by at most one. None: `crops_per_image` crops of each image.

    >>> sampler = CropSampler([10, 20], crops_per_image=2, seed=0)
    >>> sampler.set_epoch(3)
    >>> sorted(sampler)
    [(3, 0, 0), (3, 0, 1), (3, 1, 0), (3, 1, 1)]
    """

    def __init__(self, dataset: Any, crops_per_image: int = 1, seed: int = 0, length: int | None = None) -> None:
        processes = process_count()
        self.images = len(dataset)
        total = crops_per_image * self.images if length is None else length * processes
        # DistributedSampler shares out the positions 0 ... total - 1, padded to a multiple of the number of processes.
        super().__init__(
            range(total),
            num_replicas=processes,
            rank=dist.get_rank() if processes > 1 else 0,
            seed=seed,
        )

    def __iter__(self) -> Iterator[CropKey]:
        # Shifted, so that the images with one visit more are different ones in each epoch.
        shift = self.epoch * len(self.dataset)
        for position in super().__iter__():
            yield self.epoch, (position + shift) % self.images, position // self.images
