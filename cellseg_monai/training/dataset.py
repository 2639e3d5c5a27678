"""A training data set whose augmentation and order can be reproduced exactly.

A resumed run must see the crops that the uninterrupted run would have seen. The random state of data-loading workers
cannot be saved, so no random state lives there. Augmentation is seeded with (seed, epoch, item, crop) and the order
with (seed, epoch), so the number of workers has no influence. Dropout uses the global random state, which `last.pt`
stores.
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
    """A data set that prepares each image once, keeps it in memory, and augments it differently at every access.

    Args:
        data: the items, such as `{"image": path, "label": path}`.
        prepare: deterministic transform, such as reading and normalising. Its results are cached.
        augment: random transforms, starting with the crop. They must not modify their input in place. Empty for
            validation.
        seed: seed of the augmentation. Together with the epoch, the item and the crop number, it determines every
            random choice.
        cache_mb: size of the cache in MiB. Every data-loading worker has its own cache. Items that do not fit are
            prepared at every access.
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
        """Return the augmented item for the key `(epoch, index, crop)`; a plain index means epoch 0, crop 0."""
        epoch, index, crop = (0, key, 0) if isinstance(key, int) else key
        entropy = np.random.SeedSequence([self.seed, epoch, index, crop])
        _share_random_state(self.augment, np.random.RandomState(entropy.generate_state(4)))
        # MetaTensor slows down every transform and collation, and nothing in training reads its metadata.
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
    """Return a sampler that gives this process its share of the validation items.

    Every item goes to exactly one process, without padding.

    Raises:
        DatasetError: there are fewer items than processes. A process without items would block the others forever.
    """
    processes = dist.get_world_size()
    if len(dataset) < processes:
        raise DatasetError(
            f"got {len(dataset)} validation images for {processes} processes, expected at least one image per process; "
            "start fewer processes, or add validation images"
        )
    return EvenOrNotSampler(dataset, even_divisible=False, shuffle=False)


def _share_random_state(transform: Callable, state: np.random.RandomState) -> None:
    """Make every random transform draw from the same random state.

    `Compose` would create and seed one state per transform, which takes half the time of a crop.
    """
    if isinstance(transform, Compose):
        transform.R = state
        for part in transform.transforms:
            _share_random_state(part, state)
    elif isinstance(transform, Randomizable):
        transform.set_random_state(state=state)


class CropSampler(DistributedSampler):
    """A sampler that yields one epoch of keys `(epoch, index, crop)`, in an order set by seed and epoch alone.

    Each process gets its own share of the keys. The class derives from `DistributedSampler` because MONAI's trainer
    announces new epochs only to samplers of that type.

    Args:
        dataset: the data set to sample.
        crops_per_image: number of crops taken from each image per epoch.
        seed: seed of the order. Together with the epoch, it determines the order of the keys.
        length: number of crops per epoch and process. If given, it replaces `crops_per_image`, and the numbers of
            crops from any two images differ by at most one. None for `crops_per_image` crops from each image.
        weights: how often to draw each image, in proportion; None to draw all equally often. The number of crops from
            an image differs by less than one from its share.

    >>> sampler = CropSampler([10, 20], crops_per_image=2, seed=0)
    >>> sampler.set_epoch(3)
    >>> sorted(sampler)
    [(3, 0, 0), (3, 0, 1), (3, 1, 0), (3, 1, 1)]
    """

    def __init__(
        self,
        dataset: Any,
        crops_per_image: int = 1,
        seed: int = 0,
        length: int | None = None,
        weights: Sequence[float] | None = None,
    ) -> None:
        if weights is not None and len(weights) != len(dataset):
            raise ValueError(
                f"got {len(weights)} weights for {len(dataset)} images, expected one for each; pass as many"
            )
        self.weights = weights
        processes = process_count()
        self.images = len(dataset)
        total = crops_per_image * self.images if length is None else length * processes
        # DistributedSampler divides the positions 0 ... total - 1 among the processes and pads them to equal shares.
        super().__init__(
            range(total),
            num_replicas=processes,
            rank=dist.get_rank() if processes > 1 else 0,
            seed=seed,
        )

    def __iter__(self) -> Iterator[CropKey]:
        # Shift the positions in each epoch, so that the extra crops do not always come from the same images.
        if self.weights is None:
            shift = self.epoch * len(self.dataset)
            for position in super().__iter__():
                yield self.epoch, (position + shift) % self.images, position // self.images
            return
        # Systematic sampling: evenly spaced marks, moved by a random offset, along the sum of the weights.
        offset = np.random.default_rng([self.seed, self.epoch]).random()
        marks = (np.arange(len(self.dataset)) + offset) / len(self.dataset)
        edges = np.cumsum(self.weights) / np.sum(self.weights)
        images: np.ndarray = np.clip(np.searchsorted(edges, marks, side="right"), 0, self.images - 1)
        firsts = np.asarray(np.searchsorted(images, images))
        for position in super().__iter__():
            yield self.epoch, int(images[position]), int(position - firsts[position])
