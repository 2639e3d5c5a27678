"""StarDist (Schmidt et al. 2018, doi:10.1007/978-3-030-00934-2_30), trained from random weights with its defaults."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import tensorflow
from csbdeep.utils import normalize
from peer import Pairs, Segment, run
from stardist import fill_label_holes
from stardist.models import Config2D, StarDist2D

MOST_EPOCHS = 100_000


class Deadline(tensorflow.keras.callbacks.Callback):
    """Ends a training after the batch during which its time is up."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.at = time.perf_counter() + seconds

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Stop if the time is up."""
        if time.perf_counter() >= self.at:
            self.model.stop_training = True


def augmented(image: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flip, turn, brighten and blur an image, as in the example notebooks of StarDist."""
    for axis in (0, 1):
        if np.random.random() < 0.5:  # noqa: NPY002, StarDist seeds this generator
            image, labels = np.flip(image, axis), np.flip(labels, axis)
    if np.random.random() < 0.5 and image.shape[0] == image.shape[1]:  # noqa: NPY002
        image, labels = image.T, labels.T
    image = image * np.random.uniform(0.6, 2) + np.random.uniform(-0.2, 0.2)  # noqa: NPY002
    return image + 0.02 * np.random.normal(size=image.shape), labels  # noqa: NPY002


def train(training: Pairs, validation: Pairs, model: Path, seconds: float) -> None:
    """Train until the time is up, and choose the thresholds on the validation images."""
    config = Config2D(n_rays=32, grid=(2, 2), n_channel_in=1, train_patch_size=(256, 256), train_batch_size=4)
    program = StarDist2D(config, name=model.name, basedir=str(model.parent))
    images, labels = zip(*map(prepared, padded(training)), strict=True)
    known, truths = zip(*map(prepared, padded(validation)), strict=True)
    program.prepare_for_training()
    program.callbacks.append(Deadline(seconds))
    program.train(
        images, labels, validation_data=(known, truths), augmenter=augmented, epochs=MOST_EPOCHS, steps_per_epoch=50
    )
    program.optimize_thresholds(known, truths)


def padded(pairs: Pairs, side: int = 256) -> Pairs:
    """Return pairs in which no side is shorter than a patch."""
    wanted = [[(0, max(0, side - length)) for length in image.shape] for image, _ in pairs]
    return [
        (np.pad(image, margins, mode="reflect"), np.pad(labels, margins, mode="reflect"))
        for (image, labels), margins in zip(pairs, wanted, strict=True)
    ]


def prepared(pair: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return a pair as StarDist's examples prepare it."""
    return normalize(pair[0], 1, 99.8), fill_label_holes(pair[1])


def load(model: Path) -> Segment:
    """Return the function that segments an image."""
    program = StarDist2D(None, name=model.name, basedir=str(model.parent))
    return lambda image: program.predict_instances(normalize(image, 1, 99.8))[0]


if __name__ == "__main__":
    run(train, load)
