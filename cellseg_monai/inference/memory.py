"""How much of an image is held at once, for a run that may take so much memory."""

from __future__ import annotations

from dataclasses import replace

from cellseg_monai.inference.job import Job

__all__ = ["within_memory"]

# Measured with the bundle `nuclei` in float32, and rounded up; see `benchmarks/segment_memory.py`.
_PROGRAM_BYTES = 11 * 10**8  # Python, torch and the network
_BLOCKS_BYTES = 5 * 10**8  # for blocks of a plane that is not held
_PLANE_BYTES_A_PX = 90  # for a plane of which objects are made, as for one more than there are lanes
_WAITING_BYTES_A_PX = 40  # for those that are read and written meanwhile
_TILE_BYTES_A_PX = 1000  # for what the network makes of a tile on its way
_TILE_BYTES_A_PX_CUDA = 60  # where it has a memory of its own for that


def within_memory(job: Job, most_bytes: int, device: str) -> Job:
    """The same job, with fewer tiles at once and smaller planes in memory if need be; or with larger ones.

    An estimate, for grey and colour images and networks like that of `nuclei`.

    Args:
        job: whose tiles stay as they are.
        most_bytes: for the whole process.
        device: where the network runs, such as "cpu" or "cuda:0".

    Raises:
        ValueError: too few for a single tile.
    """
    tiles = job.pipeline.tiles
    height, width = tiles.size
    tile = height * width * (_TILE_BYTES_A_PX_CUDA if device.startswith("cuda") else _TILE_BYTES_A_PX)
    at_once = (most_bytes - _PROGRAM_BYTES - _BLOCKS_BYTES) // tile
    lanes = min(job.pipeline.lanes, at_once)
    if lanes < 1:
        least = _PROGRAM_BYTES + _BLOCKS_BYTES + tile
        raise ValueError(
            f"{most_bytes / 1e9:.1f} GB of memory came, but about {least / 1e9:.1f} GB are needed for tiles of "
            f"{height} × {width} px; allow more, or take smaller ones, such as --tile 256"
        )
    batch = min(tiles.batch, at_once // lanes)
    left = most_bytes - _PROGRAM_BYTES - lanes * batch * tile
    pipeline = replace(job.pipeline, tiles=replace(tiles, batch=batch), lanes=lanes)
    return replace(job, pipeline=pipeline, large_px=left // (_PLANE_BYTES_A_PX * (lanes + 1) + _WAITING_BYTES_A_PX))
