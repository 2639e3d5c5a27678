"""Generate images of nuclei and cells, segment them with the shipped weights, and join their overlays, for the README.

python scripts/readme_picture.py docs/quickstart.png
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from cellseg_monai import exports, segment
from cellseg_monai.data import write_sample_dataset

SEED, IMAGES = 4, ("plate01_nuclei_01", "plate03_nuclei_01", "plate05_nuclei_01", "plate06_phase_01")


def main(picture: str) -> None:
    """Write four generated images with the outlines of their cells, separated by white lines."""
    with tempfile.TemporaryDirectory() as folder:
        sample = write_sample_dataset(
            Path(folder) / "data", modality="both", seed=SEED, counts=(0, 0, 6), images_per_plate=1
        )
        parts = []
        for name in IMAGES:
            written = exports.write_exports(folder, segment(sample / "images" / f"{name}.tif"), "overlay")
            parts.append(np.asarray(Image.open(written["overlay"][0])))
    line = np.full((parts[0].shape[0], 4, 3), 255, np.uint8)
    joined = [part for overlay in parts for part in (overlay, line)][:-1]
    Image.fromarray(np.concatenate(joined, axis=1)).save(picture, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])
