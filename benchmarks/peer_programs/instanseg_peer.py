"""InstanSeg (Goldsborough et al. 2024, arXiv:2408.15954), trained from random weights with its own network and loss.

Its training script counts epochs. Here the same steps are taken until a time is up: crops of 256 × 256 with flips and
quarter turns in batches of 3, Adam with a learning rate of 0.001, and at first the losses with which its script starts.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from instanseg.utils.loss.instanseg_loss import InstanSeg, InstanSeg_Torchscript
from instanseg.utils.model_loader import build_model_from_dict
from instanseg.utils.utils import percentile_normalize
from peer import Pairs, Segment, run

SIDE, BATCH, LEARNING_RATE, MOST_GRADIENT = 256, 3, 0.001, 20
START_SHARE = 0.2
"""Share of the time with the losses of the start; the script's share is smaller, but its training is longer."""

NETWORK = {
    "model_str": "InstanSeg_UNet", "layers": (32, 64, 128, 256), "norm": "BATCH", "dropprob": 0.0, "multihead": False,
    "dim_in": 1, "dim_coords": 2, "n_sigma": 2, "dim_seeds": 1, "cells_and_nuclei": False,
}  # fmt: skip


def network_and_loss() -> tuple[torch.nn.Module, InstanSeg]:
    """Return the network with random weights, and the loss, which shares a part of the network."""
    loss = InstanSeg(
        n_sigma=2, device="cpu", binary_loss_fn_str="dice_loss", seed_loss_fn="binary_xloss", window_size=128
    )
    network = build_model_from_dict(dict(NETWORK), random_seed=0)
    return loss.initialize_pixel_classifier(network, MLP_width=5), loss


def train(training: Pairs, validation: Pairs, model: Path, seconds: float) -> None:
    """Train until the time is up, and keep the last weights."""
    begun = time.perf_counter()
    rng = np.random.default_rng(0)
    pairs = [(percentile_normalize(image.astype(np.float32))[..., 0], labels) for image, labels in training]
    network, loss = network_and_loss()
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    is_start, steps = True, 0
    while (elapsed := time.perf_counter() - begun) < seconds:
        if is_start and elapsed > START_SHARE * seconds:
            is_start = False
            loss.update_seed_loss("l1_distance")
            loss.update_binary_loss("lovasz_hinge")
        crops = [random_crop(*pairs[rng.integers(len(pairs))], rng) for _ in range(BATCH)]
        images, labels = (torch.from_numpy(np.stack(part)[:, np.newaxis]) for part in zip(*crops, strict=True))
        optimizer.zero_grad()
        loss(network(images), labels).mean().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), MOST_GRADIENT)
        optimizer.step()
        steps += 1
    print(f"{steps} steps in {elapsed:.0f} s", flush=True)
    torch.save(network.state_dict(), model / "weights.pt")


def random_crop(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a crop of an image and its labels, flipped and turned at random."""
    missing = [(0, max(0, SIDE - length)) for length in image.shape]
    image, labels = np.pad(image, missing, mode="reflect"), np.pad(labels, missing, mode="reflect")
    top, left = (int(rng.integers(length - SIDE + 1)) for length in image.shape)
    turns, is_flipped = int(rng.integers(4)), rng.random() < 0.5
    crops = []
    for whole, dtype in ((image, np.float32), (labels, np.int32)):
        crop = np.rot90(whole[top : top + SIDE, left : left + SIDE], turns)
        crops.append(np.ascontiguousarray(crop[::-1] if is_flipped else crop).astype(dtype))
    return crops[0], crops[1]


def load(model: Path) -> Segment:
    """Return the function that segments an image, as the released models of InstanSeg do."""
    network, _ = network_and_loss()
    network.load_state_dict(torch.load(model / "weights.pt"))
    program = InstanSeg_Torchscript(network.eval(), n_sigma=2, dim_coords=2, dim_seeds=1, backbone_dim_in=1).eval()

    def segment(image: np.ndarray) -> np.ndarray:
        pixels = percentile_normalize(image.astype(np.float32))[..., 0]
        with torch.no_grad():
            labels = program(torch.from_numpy(pixels)[np.newaxis, np.newaxis])
        return np.asarray(labels.numpy().reshape(image.shape))

    return segment


if __name__ == "__main__":
    run(train, load)
