"""The number of tiles and the size of planes in memory follow from the memory of a run."""

from dataclasses import replace

import pytest

from cellseg_monai.inference import within_memory
from cellseg_monai.segment_options import bytes_of


def test_more_memory_allows_more_tiles_and_larger_planes(idle_job):
    less, more, most = (within_memory(idle_job, bytes_of(text), "cpu") for text in ("3GB", "4GB", "16GB"))
    assert [job.pipeline.tiles.batch for job in (less, more, most)] == [1, 2, 4]
    assert less.large_px < most.large_px
    assert less.large_px < idle_job.large_px < most.large_px
    assert less.pipeline.tiles.size == idle_job.pipeline.tiles.size


@pytest.mark.parametrize(("memory", "lanes", "batch"), [("3GB", 1, 1), ("4GB", 2, 1), ("16GB", 4, 3)])
def test_lanes_are_filled_before_batches_grow(idle_job, memory, lanes, batch):
    four = replace(idle_job, pipeline=replace(idle_job.pipeline, lanes=4))
    limited = within_memory(four, bytes_of(memory), "cpu")
    assert (limited.pipeline.lanes, limited.pipeline.tiles.batch) == (lanes, batch)
    alone = within_memory(replace(idle_job, pipeline=replace(idle_job.pipeline, lanes=1)), bytes_of(memory), "cpu")
    assert limited.large_px <= alone.large_px


def test_tiles_on_a_gpu_take_no_memory_of_the_process(idle_job):
    assert within_memory(idle_job, bytes_of("3GB"), "cuda:1").pipeline.tiles.batch == 4


def test_too_little_memory_for_one_tile_is_refused(idle_job):
    with pytest.raises(
        ValueError, match=r"got 2.0 GB of memory, expected at least about 2.6 GB for tiles of 1024 × 1024 px"
    ):
        within_memory(idle_job, bytes_of("2GB"), "cpu")


@pytest.mark.parametrize("text", ["4", "GB", "-4GB", "4 TB", ""])
def test_a_text_that_is_not_an_amount_is_refused(text):
    with pytest.raises(ValueError, match="expected a number of MB or GB; write 4GB, for example"):
        bytes_of(text)
