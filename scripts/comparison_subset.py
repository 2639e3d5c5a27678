"""Writes a datalist of a seeded part of a data set, small enough to train every bundle on two CPU cores.

    python scripts/comparison_subset.py DATASET OUTPUT.json [--seed 0]

Training and validation images come out of the data set's training part, test images out of its held-out part.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from cellseg_monai.data import load_datalist, write_datalist

COUNTS = {"training": 40, "validation": 8, "test": 24}


def main() -> None:
    """Choose and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sections = load_datalist(options.dataset)
    chosen = random.Random(options.seed)
    subset = {name: chosen.sample(sections[name], min(count, len(sections[name]))) for name, count in COUNTS.items()}
    write_datalist(options.output, subset)
    print(f"{options.output}: " + ", ".join(f"{len(items)} {name}" for name, items in subset.items()))


if __name__ == "__main__":
    main()
