"""Comparisons of `cellseg_monai.labels` as MONAI metrics, for Ignite engines and several processes."""

from cellseg_monai.metrics.foreground import ForegroundScore

__all__ = ["ForegroundScore"]
