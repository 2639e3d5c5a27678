"""Write a datalist of a seeded part of a data set, small enough to train every bundle on two CPU cores.

    python scripts/comparison_subset.py DATASET OUTPUT.json [--largest 256] [--seed 0]

Each section is drawn from the same section of the data set. Only images with no side above `--largest` pixels are
drawn.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from cellseg_monai import io
from cellseg_monai.data import load_datalist, write_datalist

COUNTS = {"training": 24, "validation": 6, "test": 20}


def main() -> None:
    """Draw the images and write the datalist."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--largest", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    generator = random.Random(options.seed)
    subset = {}
    for name, items in load_datalist(options.dataset).items():
        shuffled = generator.sample(items, len(items))
        small = (item for item in shuffled if max(io.read(item["image"]).pixels.shape[1:]) <= options.largest)
        subset[name] = [item for item, _ in zip(small, range(COUNTS[name]), strict=False)]
    write_datalist(options.output, subset)
    print(f"{options.output}: " + ", ".join(f"{len(items)} {name}" for name, items in subset.items()))


if __name__ == "__main__":
    main()
