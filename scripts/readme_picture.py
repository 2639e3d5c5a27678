"""Join overlays of the quick start side by side, for the README.

bash scripts/quickstart.sh && python scripts/readme_picture.py runs/quickstart/segmentation docs/quickstart.png
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image


def main(segmentation: str, picture: str) -> None:
    """Write the first four overlays of a folder as one picture, separated by white lines."""
    paths = sorted(Path(segmentation).glob("*_overlay.png"))[:4]
    if not paths:
        raise SystemExit(f"error: no *_overlay.png in {segmentation}; run scripts/quickstart.sh first")
    parts = [np.asarray(Image.open(path)) for path in paths]
    line = np.full((parts[0].shape[0], 4, 3), 255, np.uint8)
    joined = [part for overlay in parts for part in (overlay, line)][:-1]
    Image.fromarray(np.concatenate(joined, axis=1)).save(picture, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
