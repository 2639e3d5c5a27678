"""The number of tiles in memory and the size of planes there, for a run with limited memory."""

from __future__ import annotations

from dataclasses import replace

from cellseg_monai.inference.job import Job

__all__ = ["within_memory"]

# Measured with the bundle `nuclei` in float32, and rounded up; see `benchmarks/segment_memory.py`.
_PROGRAM_BYTES = 11 * 10**8  # Python, torch and the network
_BLOCKS_BYTES = 5 * 10**8  # for blocks of a plane that is not held in memory
_PLANE_BYTES_A_PX = 90  # for each plane that is being segmented: one more than there are lanes
_WAITING_BYTES_A_PX = 40  # for planes that are read and written at the same time
_TILE_BYTES_A_PX = 1000  # for the intermediate results of the network
_TILE_BYTES_A_PX_CUDA = 60  # where the device has its own memory for them


def within_memory(job: Job, most_bytes: int, device: str) -> Job:
    """Return the same job with the number of simultaneous tiles, and the size of planes in memory, that fit.

    This is an estimate, for grey and colour images and networks like that of `nuclei`.

    Args:
        job: what is done with each image. The size of its tiles does not change.
        most_bytes: memory of the whole process.
        device: where the network runs, such as "cpu" or "cuda:0".

    Raises:
        ValueError: the memory is too small for a single tile.
    """
    tiles = job.pipeline.tiles
    height, width = tiles.size
    tile = height * width * (_TILE_BYTES_A_PX_CUDA if device.startswith("cuda") else _TILE_BYTES_A_PX)
    simultaneous_tiles = (most_bytes - _PROGRAM_BYTES - _BLOCKS_BYTES) // tile
    lanes = min(job.pipeline.lanes, simultaneous_tiles)
    if lanes < 1:
        least = _PROGRAM_BYTES + _BLOCKS_BYTES + tile
        raise ValueError(
            f"got {most_bytes / 1e9:.1f} GB of memory, expected about {least / 1e9:.1f} GB or more for tiles of "
            f"{height} × {width} px; allow more, or use smaller tiles, such as --tile 256"
        )
    batch = min(tiles.batch, simultaneous_tiles // lanes)
    left = most_bytes - _PROGRAM_BYTES - lanes * batch * tile
    pipeline = replace(job.pipeline, tiles=replace(tiles, batch=batch), lanes=lanes)
    return replace(job, pipeline=pipeline, large_px=left // (_PLANE_BYTES_A_PX * (lanes + 1) + _WAITING_BYTES_A_PX))
