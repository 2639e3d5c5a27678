"""Several versions of one crop, for learning without labels: random views, and a copy with hidden blocks."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import Compose, Randomizable

__all__ = ["RandHiddenBlocksd", "RandViewsd"]


class RandViewsd(Randomizable):
    """Make several views of an image, each with its own random changes.

    Args:
        transforms: random transforms of the key `key`, which are applied anew for each view.
        names: keys of the views, each of the shape and type that the transforms return.
        key: key of the image, C×Y×X, which stays unchanged.

    >>> import monai.transforms as mt
    >>> views = RandViewsd([mt.RandShiftIntensityd("image", offsets=0.5, prob=1.0)], names=["first", "second"])
    >>> item = views.set_random_state(0)({"image": np.zeros((1, 1, 1), np.float32)})
    >>> [round(float(item[name].item()), 2) for name in ("image", "first", "second")]
    [0.0, -0.34, 0.44]
    """

    def __init__(self, transforms: Sequence[Callable], names: Sequence[str], key: str = "image") -> None:
        self.transform = Compose(list(transforms))
        self.names = tuple(names)
        self.key = key

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> RandViewsd:
        """Set the random state of this transform and, drawn from it, of those that it applies."""
        super().set_random_state(seed, state)
        self.transform.set_random_state(state=self.R)
        return self

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with its views."""
        item = dict(data)
        for name in self.names:
            item[name] = self.transform({self.key: data[self.key]})[self.key]
        return item


class RandHiddenBlocksd(Randomizable):
    """Hide square blocks of an image, and keep a mask of them.

    A grid with a random offset divides the image into blocks, a fixed share of which is hidden: at least one, and not
    all of several. Hidden pixels get the mean of the visible ones of their channel, so that they do not stand out by
    their brightness.

    Args:
        key: key of the image, C×Y×X float32, which stays unchanged.
        name: key of the copy with hidden blocks, a tensor of the same shape and type.
        mask_name: key of the mask, 1×Y×X float32, 1 where the image is hidden.
        block_px: side of the blocks in pixels, at most half the shorter side of the image, so that some of it stays
            visible.
        share: share of blocks to hide, above 0 and below 1.

    Raises:
        ValueError: `block_px` is below 1 or too large for an image, or `share` is not between 0 and 1.

    >>> hide = RandHiddenBlocksd("image", "hidden", "mask", block_px=2, share=0.5).set_random_state(0)
    >>> item = hide({"image": torch.arange(16.0).reshape(1, 4, 4)})
    >>> item["mask"][0].int()
    tensor([[0, 1, 1, 1],
            [0, 1, 1, 1],
            [0, 1, 1, 0],
            [0, 1, 1, 0]], dtype=torch.int32)
    """

    def __init__(self, key: str, name: str, mask_name: str, *, block_px: int = 16, share: float = 0.4) -> None:
        if block_px < 1:
            raise ValueError(f"got block_px={block_px}, expected at least 1; pass the side of a block in pixels")
        if not 0 < share < 1:
            raise ValueError(f"got share={share}, expected a share of blocks above 0 and below 1; try 0.4")
        self.key, self.name, self.mask_name = key, name, mask_name
        self.block_px, self.share = block_px, share

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with the hidden copy and its mask."""
        item = dict(data)
        image = torch.as_tensor(data[self.key])
        if 2 * self.block_px > min(image.shape[-2:]):
            raise ValueError(
                f"got block_px={self.block_px} for crops of {image.shape[-2]}×{image.shape[-1]} pixels, expected at "
                "most half the shorter side; choose smaller blocks or larger crops"
            )
        mask = torch.from_numpy(self._mask((image.shape[-2], image.shape[-1])))
        mean = image[:, ~mask].mean(dim=1)
        item[self.name] = torch.where(mask, mean[:, None, None], image)
        item[self.mask_name] = mask[None].float()
        return item

    def _mask(self, shape: tuple[int, int]) -> np.ndarray:
        block = self.block_px
        top, left = (int(self.R.randint(block)) for _ in range(2))
        rows, columns = (-(-(length + offset) // block) for length, offset in zip(shape, (top, left), strict=True))
        hidden: np.ndarray = np.zeros(rows * columns, dtype=bool)
        count = min(max(1, round(self.share * hidden.size)), hidden.size - 1)
        hidden[self.R.permutation(hidden.size)[:count]] = True
        grid = hidden.reshape(rows, columns).repeat(block, axis=0).repeat(block, axis=1)
        return grid[top : top + shape[0], left : left + shape[1]]
