"""Segmentation on a Dask cluster, for many images or for one image that is too large for a single machine."""

__all__: list[str] = []
