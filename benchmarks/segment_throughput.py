"""Speed of segmenting files compared with the network alone, and of our tiles compared with MONAI's, from one run.

    python benchmarks/segment_throughput.py [--images 64] [--side 8192] [--rounds 3]

The images are 64 generated ones of 520 × 696 and one of 8192², 16 bit, as TIFF. These are timed:

ours               Everything that `cellseg segment` does with `bundles/nuclei`: reading and preparing files, the
                   network, making and measuring objects, writing labels and tables.
network alone      The network that the bundle declares, as torch runs it, on the same tiles in memory, one batch after
                   another with all threads of torch; its output is discarded. Then in lanes as in ours, where it sees
                   several batches at the same time. Then with its normalisation folded into its convolutions, as ours
                   uses it, alone and in lanes.
another program    The network alone in another process, which does not keep its memory as the command does.
MONAI              `SlidingWindowInferer` on whole images in memory, with tiles of the same size and overlap, and the
                   same folded network as ours.

The aim is a ratio to the fastest, the folded network in lanes, and so includes everything that makes the network
faster. All are timed in turn in several rounds. Every other round runs backwards, because the first one may have to
allocate memory that the others reuse. Speeds are those of the shortest time, and ratios are medians of the ratios
within each round, because the machine can be faster in one round than in another. Exits with 1 if a ratio is below its
aim.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tifffile
import torch
from child_process import in_child
from monai.bundle import ConfigParser
from monai.inferers import SlidingWindowInferer

from cellseg_monai.allocation import keep_freed_memory
from cellseg_monai.bundle import find_bundle, load_pipeline
from cellseg_monai.data.synthetic_nuclei import nuclei
from cellseg_monai.inference import Failed, Job, Network, Pipeline, find_images, predict
from cellseg_monai.inference.lanes import Lanes
from cellseg_monai.inference.torch_network import torch_network
from cellseg_monai.pixels import prepare

SMALL, DENSITY = (520, 696), 120 / (520 * 696)
NETWORKS = ("the network alone", "the network alone, in lanes", "folded network, alone", "folded network, in lanes")
LEAST = {"the network alone": {"small": 0.80, "large": 0.85}, "MONAI": {"small": 1.0, "large": 1.0}}


def write_images(folder: Path, count: int, side: int) -> dict[str, list[Path]]:
    """Write the images of both cases."""
    images = {"small": [folder / "small" / f"{seed:03}.tif" for seed in range(count)], "large": [folder / "large.tif"]}
    (folder / "small").mkdir()
    for seed, path in enumerate(images["small"]):
        tifffile.imwrite(path, field(SMALL, seed), compression="zlib")
    pieces = [[field((1024, 1024), 8 * row + column) for column in range(4)] for row in range(2)]
    repeats = -(-side // 4096)
    large = np.tile(np.block(pieces), (2 * repeats, repeats))[:side, :side]
    tifffile.imwrite(images["large"][0], large, tile=(512, 512), compression="zlib")
    return images


def field(shape: tuple[int, int], seed: int) -> np.ndarray:
    """Return an image of nuclei, as dense as in BBBC039."""
    return nuclei(shape, seed=seed, count=round(DENSITY * shape[0] * shape[1])).image


def end_to_end(pipeline: Pipeline, images: list[Path]) -> float:
    """Return the seconds from files to labels and tables."""
    with tempfile.TemporaryDirectory() as output:
        image_files, _ = find_images([str(path) for path in images])
        begun = time.perf_counter()
        for outcome in Job(pipeline, Path(output)).run(image_files):
            if isinstance(outcome, Failed):
                raise SystemExit(outcome.reason)
        return time.perf_counter() - begun


def declared_network(bundle: str, pipeline: Pipeline) -> Network:
    """Return the network that the bundle declares, with its weights, as torch runs it."""
    root = find_bundle(bundle)
    parser = ConfigParser()
    parser.read_config(str(root / "configs" / "inference.json"))
    parser["bundle_root"] = str(root)
    trained = parser.get_parsed_content("trained")
    return torch_network(trained.network, torch.device("cpu"), amp=pipeline.precision == "bfloat16")


def network_alone(network: Network, batches: list[np.ndarray]) -> float:
    """Return the seconds that a network takes for tiles in memory."""
    begun = time.perf_counter()
    for batch in batches:
        network(batch)
    return time.perf_counter() - begun


def network_in_lanes(network: Network, batches: list[np.ndarray], count: int) -> float:
    """Return the seconds that a network takes if it sees several batches at the same time."""
    begun = time.perf_counter()
    with Lanes(count) as lanes:
        for _ in lanes.answers(network, batches):
            pass
    return time.perf_counter() - begun


def tiles_of(pipeline: Pipeline, prepared: list[np.ndarray]) -> list[np.ndarray]:
    """Return the exact batches that the network sees for these images."""
    batches: list[np.ndarray] = []

    def keep(batch: np.ndarray) -> np.ndarray:
        batches.append(batch.copy())
        return batch

    for image in prepared:
        predict(image, keep, pipeline.tiles)
    return batches


def monai_alone(pipeline: Pipeline, prepared: list[np.ndarray]) -> float:
    """Return the seconds that MONAI's sliding window takes for images in memory."""
    size, overlap = pipeline.tiles.size, pipeline.tiles.overlap / min(pipeline.tiles.size)
    inferer = SlidingWindowInferer(size, pipeline.tiles.batch, overlap, mode="gaussian")

    def network(tensor: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(pipeline.augmented_network(tensor.numpy()))

    begun = time.perf_counter()
    for image in prepared:
        inferer(torch.from_numpy(image[np.newaxis]), network)
    return time.perf_counter() - begun


def ours_alone(pipeline: Pipeline, prepared: list[np.ndarray]) -> float:
    """Return the seconds that the tiling of this package takes for images in memory."""
    begun = time.perf_counter()
    with Lanes(pipeline.lanes) as lanes, ThreadPoolExecutor(pipeline.lanes) as images:
        list(images.map(lambda image: predict(image, pipeline.augmented_network, pipeline.tiles, lanes), prepared))
    return time.perf_counter() - begun


def prepared_images(pipeline: Pipeline, images: list[Path]) -> list[np.ndarray]:
    """Return the images as the network sees them."""
    return [prepare(tifffile.imread(path)[np.newaxis], pipeline.preprocess) for path in images]


def network_elsewhere(bundle: str, images: list[Path], rounds: int) -> float:
    """Return the seconds that the network takes for tiles in memory, in a process that does not keep its memory."""
    os.environ.pop("THP_MEM_ALLOC_ENABLE", None)  # inherited from the parent process
    pipeline = load_pipeline(bundle).largest
    batches = tiles_of(pipeline, prepared_images(pipeline, images))
    network = declared_network(bundle, pipeline)
    return min(network_alone(network, batches) for _ in range(rounds))


def compare(case: str, bundle: str, images: list[Path], rounds: int) -> bool:
    """Print the ratios of one case; return True if the aims are met."""
    elsewhere = in_child(network_elsewhere, bundle, images, rounds)
    pipeline = load_pipeline(bundle).largest
    prepared = prepared_images(pipeline, images)
    megapixels = sum(image[0].size for image in prepared) / 1e6
    batches = tiles_of(pipeline, prepared)
    declared = declared_network(bundle, pipeline)
    candidates = (
        lambda: end_to_end(pipeline, images),
        lambda: network_alone(declared, batches),
        lambda: network_in_lanes(declared, batches, pipeline.lanes),
        lambda: network_alone(pipeline.augmented_network, batches),
        lambda: network_in_lanes(pipeline.augmented_network, batches, pipeline.lanes),
        lambda: ours_alone(pipeline, prepared),
        lambda: monai_alone(pipeline, prepared),
    )
    seconds: np.ndarray = np.empty((rounds, len(candidates)))
    for number in range(rounds):
        for index in range(len(candidates))[:: -1 if number % 2 else 1]:
            seconds[number, index] = candidates[index]()
    whole, *networks, tiled, monai = megapixels / seconds.min(axis=0)
    share_elsewhere = elsewhere / seconds[:, 0].min()
    shares = np.median(seconds[:, 1:-2] / seconds[:, :1], axis=0)
    faster = np.median(seconds[:, -1] / seconds[:, -2])
    print(f"{len(images)} {case} image(s), {megapixels:.0f} megapixels")
    print(f"  from files to labels and tables  {whole:.2f} MP/s")
    print(f"  the network, in another program  {megapixels / elsewhere:.2f} MP/s, ratio {share_elsewhere:.3f}")
    for name, speed, share in zip(NETWORKS, networks, shares, strict=True):
        print(f"  {name:32} {speed:.2f} MP/s, ratio {share:.3f}")
    print(f"  in memory, ours                  {tiled:.2f} MP/s")
    print(f"  in memory, MONAI's               {monai:.2f} MP/s, ratio {faster:.3f}", flush=True)
    return bool(shares[-1] >= LEAST["the network alone"][case] and faster >= LEAST["MONAI"][case])


def main() -> int:
    """Run both cases and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="nuclei")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--side", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        images = write_images(Path(folder), arguments.images, arguments.side)
        aims_met = [compare(case, arguments.bundle, paths, arguments.rounds) for case, paths in images.items()]
    return int(not all(aims_met))


if __name__ == "__main__":
    sys.exit(main())
