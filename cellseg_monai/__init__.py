"""MONAI bundles for cell microscopy, and the code that they share.

Subpackages, `segment` and `look` are imported on first use. This keeps `import cellseg_monai` fast and makes files,
pixels and labels usable without torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

from cellseg_monai._version import __version__

if TYPE_CHECKING:
    from cellseg_monai.looking import look
    from cellseg_monai.segment_options import SegmentOptions
    from cellseg_monai.segmenting import segment

_SUBPACKAGES = (
    "bundle",
    "comparison",
    "data",
    "datasets",
    "decoding",
    "errors",
    "evaluation",
    "exports",
    "finetuning",
    "formats",
    "heads",
    "inference",
    "io",
    "labels",
    "metrics",
    "networks",
    "pixels",
    "quality",
    "report",
    "scores",
    "scouting",
    "training",
    "transforms",
)

__all__ = ["SegmentOptions", "__version__", "look", "segment", *_SUBPACKAGES]


def __getattr__(name: str) -> Any:
    if name == "look":
        return importlib.import_module(f"{__name__}.looking").look
    if name == "segment":
        return importlib.import_module(f"{__name__}.segmenting").segment
    if name == "SegmentOptions":
        return importlib.import_module(f"{__name__}.segment_options").SegmentOptions
    if name in _SUBPACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
