"""Many images, or one too large for a machine, segmented by the workers of a Dask cluster."""

__all__: list[str] = []
