"""From images to objects: tiles, the network on them, and the results."""

from cellseg_monai.inference.ahead import ahead
from cellseg_monai.inference.recipe import Recipe
from cellseg_monai.inference.symmetries import over_symmetries
from cellseg_monai.inference.tiled import Network, Read, Tiles, predict, predict_bands

__all__ = [
    "Network",
    "Read",
    "Recipe",
    "TiledInferer",
    "Tiles",
    "ahead",
    "on_arrays",
    "over_symmetries",
    "predict",
    "predict_bands",
]


def __getattr__(name: str) -> object:
    # The rest needs no torch, so that a network of another kind segments where torch is not installed.
    if name in ("TiledInferer", "on_arrays"):
        from cellseg_monai.inference import inferer

        return getattr(inferer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
