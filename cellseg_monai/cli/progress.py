"""The progress bar of a segmentation run."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING

from tqdm import tqdm

from cellseg_monai.inference import Done
from cellseg_monai.inference.choices import choices_text
from cellseg_monai.one_line import one_line

if TYPE_CHECKING:
    from cellseg_monai.inference import Failed

__all__ = ["Progress"]

_BAR = "{percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"


class Progress:
    """A progress bar over images, with the speed and the number of objects; use it as a context manager.

    A large image advances the bar gradually, so that the remaining time can be estimated while the image is processed.

    Args:
        images: total number of images.
        done: number of images that earlier runs have finished.

    Attributes:
        segmented: number of images segmented in this run.
        objects: number of objects found in these images.
        megapixels: total number of pixels in their planes, in millions.
    """

    def __init__(self, images: int, done: int) -> None:
        self.segmented, self.objects, self.megapixels = 0, 0, 0.0
        self._images, self._ended = images, done
        self._part = 0.0  # number of megapixels of the current large image that the network has seen
        self._begun = time.perf_counter()
        self._bar = tqdm(total=images, initial=done, bar_format=_BAR, file=sys.stderr)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def see(self, pixels: int, of: int) -> None:
        """Advance the bar by a part of a large image.

        Args:
            pixels: number of pixels that the network has just seen.
            of: total number of pixels in the image that the network will see.
        """
        self._part += pixels / 1e6
        self._show(self._part / of * 1e6)

    def add(self, outcome: Done | Failed) -> None:
        """Count an image that has been segmented or has failed."""
        self._ended, self._part = self._ended + 1, 0.0
        if isinstance(outcome, Done):
            self.segmented += 1
            self.megapixels += math.prod(outcome.shape) / outcome.shape[-3] / 1e6
            self.objects += outcome.objects
            if outcome.choices:
                text = f"{outcome.image.path}: {choices_text(outcome.choices)}"
                self._bar.write(one_line(text), file=sys.stderr)
        self._show()

    def seconds(self) -> float:
        """Return the time in seconds since the bar was created."""
        return time.perf_counter() - self._begun

    def _show(self, share: float = 0.0) -> None:
        """Update the bar; `share` is the fraction of the current large image that is done."""
        self._bar.n = self._ended + share
        speed = (self.megapixels + self._part) / self.seconds()
        self._bar.set_postfix_str(f"{self._ended}/{self._images} images, {speed:.2f} MP/s, {self.objects} objects")
