"""How much results depend on blocks and tiles, in three tests on a mosaic of real images.

    CELLSEG_DATA=DIR python benchmarks/tiles.py [--side 4096] [--bundles nuclei] [--part-side 2304]

DIR holds `bbbc039/images` (BBBC039, CC0). Images are placed next to each other, some mirrored, up to the side of
the mosaic.

blocks      Labels from the same probability maps for blocks of several sizes: number of pixels that differ from the
            labels of the whole image (aim 0).
bounded     A network with bounded context, everything else as in a bundle: number of pixels whose labels differ
            between tiles and the untiled image (aim 0).
bundles     For each bundle with weights, the F1 at IoU 0.9 between the labels of any two tile sizes from 256 to 2048:
            the lowest of all pairs (aim 0.995), on a part of the mosaic.

Exits with 1 if an aim is missed.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from cellseg_monai.bundle import load_pipeline
from cellseg_monai.decoding import label_in_blocks, label_objects
from cellseg_monai.inference import Pipeline, Tiles, predict
from cellseg_monai.inference.torch_network import torch_network
from cellseg_monai.io import read
from cellseg_monai.pixels import prepare
from cellseg_monai.scores import object_counts

LEAST_F1 = 0.995
BLOCKS = (333, 1024, 2048)
SIZES = (256, 384, 512, 1024, 2048)


def mosaic(folder: Path, side: int) -> np.ndarray:
    """Return a mosaic of images, YX uint16, randomly mirrored to give many kinds of seams."""
    paths = sorted(folder.iterdir())
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(0, side, 520):
        row = []
        for _ in range(0, side, 696):
            image = read(paths[rng.integers(len(paths))]).pixels[0]
            row.append(image[:: rng.choice((-1, 1)), :: rng.choice((-1, 1))])
        rows.append(np.concatenate(row, axis=1))
    return np.concatenate(rows)[:side, :side]


class Bounded(torch.nn.Module):
    """Interiors and contacts from convolutions, with a blur at a quarter of the resolution: stride 4, context 11 px."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.fine = torch.nn.Conv2d(1, 1, 7, padding=3, padding_mode="replicate", bias=False)
        self.coarse = torch.nn.Conv2d(1, 1, 5, padding=2, padding_mode="replicate", bias=False)
        for layer in (self.fine, self.coarse):
            torch.nn.init.constant_(layer.weight, 1 / layer.weight.numel())

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits of background, interior and boundary."""
        fine = self.fine(image)
        coarse = self.coarse(torch.nn.functional.avg_pool2d(image, 4)).repeat_interleave(4, 2).repeat_interleave(4, 3)
        bright = 40 * (fine - 0.15)
        boundary = 40 * (0.9 * coarse - fine)
        return torch.cat([-bright, bright, torch.minimum(boundary, bright)], dim=1)


def labels_of(pipeline: Pipeline, pixels: np.ndarray, tiles: Tiles) -> np.ndarray:
    """Return the objects of prepared pixels."""
    maps = pipeline.maps(predict(pixels, pipeline.augmented_network, tiles))
    return label_objects(maps, pipeline.postprocess)


def compare_blocks(pipeline: Pipeline, pixels: np.ndarray) -> bool:
    """Print how labels depend on blocks; return True if they do not."""
    maps = pipeline.maps(predict(pixels, pipeline.augmented_network, pipeline.tiles))
    whole, worst = label_objects(maps, pipeline.postprocess), 0
    for side in BLOCKS:
        out: np.ndarray = np.zeros(whole.shape, np.uint32)
        label_in_blocks(maps, pipeline.postprocess, out, block_px=side)
        worst = max(worst, int((out != whole).sum()))
    print(f"blocks of {BLOCKS}: {worst} pixels differ from the whole ({whole.max()} objects, aim 0)", flush=True)
    return worst == 0


def compare_bounded(pipeline: Pipeline, pixels: np.ndarray) -> bool:
    """Print how labels depend on tiles if the network has bounded context; return True if they do not."""
    bounded = replace(pipeline, network=torch_network(Bounded(), torch.device("cpu"), amp=False))
    side = max(pixels.shape)
    whole = labels_of(bounded, pixels, Tiles((side, side), 256, multiple=4, batch=1))
    worst = 0
    for size in (256, 512, 1024):
        # The quarter of the overlap next to the edge of a tile is not used.
        labels = labels_of(bounded, pixels, Tiles((size, size), overlap=size // 2, multiple=4))
        worst = max(worst, int((labels != whole).sum()))
    print(f"bounded context: {worst} pixels differ from the untiled {side}² ({whole.max()} objects, aim 0)", flush=True)
    return worst == 0


def compare_bundle(name: str, pipeline: Pipeline, pixels: np.ndarray) -> bool:
    """Print how the objects of a bundle depend on the size of tiles; return True if the aim is met."""
    labels = {size: labels_of(pipeline, pixels, replace(pipeline.tiles, size=(size, size))) for size in SIZES}
    scores = {
        pair: float(object_counts(labels[pair[0]], labels[pair[1]], [0.9])[0].f1)
        for pair in itertools.combinations(SIZES, 2)
    }
    (one, other), least = min(scores.items(), key=lambda item: item[1])
    print(f"bundle {name}: F1 at IoU 0.9 at least {least:.4f}, between {one} and {other} (aim {LEAST_F1})", flush=True)
    return least >= LEAST_F1


def main() -> int:
    """Run all comparisons and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--part-side", type=int, default=2304)
    parser.add_argument("--bundles", nargs="+", default=["nuclei"])
    arguments = parser.parse_args()
    if "CELLSEG_DATA" not in os.environ:
        parser.error("CELLSEG_DATA is not set; set it to the folder with bbbc039/images")
    whole = mosaic(Path(os.environ["CELLSEG_DATA"]) / "bbbc039" / "images", arguments.side)
    pipeline = load_pipeline("nuclei").largest
    pixels = prepare(whole[np.newaxis], pipeline.preprocess)
    aims_met = [compare_blocks(pipeline, pixels), compare_bounded(pipeline, pixels)]
    for name in arguments.bundles:
        part = prepare(whole[np.newaxis, : arguments.part_side, : arguments.part_side], pipeline.preprocess)
        aims_met.append(compare_bundle(name, load_pipeline(name).largest, part))
    return int(not all(aims_met))


if __name__ == "__main__":
    sys.exit(main())
