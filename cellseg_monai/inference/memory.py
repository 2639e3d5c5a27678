"""Limiting a run's memory, through the batch size, the number of lanes and the size of the planes held in memory."""

from __future__ import annotations

from dataclasses import replace

from cellseg_monai.inference.job import Job

__all__ = ["within_memory"]

# Measured with the bundle `nuclei` in float32, and rounded up; see `benchmarks/segment_memory.py`.
_PROGRAM_BYTES = 11 * 10**8  # Python, torch and the network
_BLOCKS_BYTES = 5 * 10**8  # for the blocks of a plane that is too large for memory
_PLANE_BYTES_A_PX = 90  # for each plane being segmented; there is one more than there are lanes
_WAITING_BYTES_A_PX = 40  # for the planes being read and written meanwhile
_TILE_BYTES_A_PX = 1000  # for the network's intermediate results
_TILE_BYTES_A_PX_CUDA = 60  # a GPU keeps the intermediate results in its own memory


def within_memory(job: Job, most_bytes: int, device: str) -> Job:
    """Return a copy of a job that should need no more than a given amount of memory.

    If necessary, the copy processes fewer tiles at the same time, and holds only smaller planes in memory. Memory use
    is an estimate, which applies to grey and colour images and to networks like that of the bundle `nuclei`.

    Args:
        job: the job; the size of its tiles does not change.
        most_bytes: maximum memory of the whole process.
        device: where the network runs, such as "cpu" or "cuda:0".

    Raises:
        ValueError: there is too little memory for even a single tile.
    """
    tiles = job.pipeline.largest.tiles
    height, width = tiles.size
    tile = height * width * (_TILE_BYTES_A_PX_CUDA if device.startswith("cuda") else _TILE_BYTES_A_PX)
    simultaneous_tiles = (most_bytes - _PROGRAM_BYTES - _BLOCKS_BYTES) // tile
    lanes = min(job.pipeline.lanes, simultaneous_tiles)
    if lanes < 1:
        least = _PROGRAM_BYTES + _BLOCKS_BYTES + tile
        raise ValueError(
            f"got {most_bytes / 1e9:.1f} GB of memory, expected at least about {least / 1e9:.1f} GB for tiles of "
            f"{height} × {width} px; raise --max_memory, or use smaller tiles, for example --tile 256"
        )
    batch = min(tiles.batch, simultaneous_tiles // lanes)
    left = most_bytes - _PROGRAM_BYTES - lanes * batch * tile
    pipeline = job.pipeline.changed(
        lambda one: replace(one, tiles=replace(one.tiles, batch=min(batch, one.tiles.batch)), lanes=lanes)
    )
    return replace(job, pipeline=pipeline, large_px=left // (_PLANE_BYTES_A_PX * (lanes + 1) + _WAITING_BYTES_A_PX))
