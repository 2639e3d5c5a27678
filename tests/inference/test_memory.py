"""What is held at once follows from the memory that a run may take."""

from dataclasses import replace

import pytest

from cellseg_monai.inference import bytes_of, within_memory


def test_with_more_memory_more_is_held(idle_job):
    less, more, most = (within_memory(idle_job, bytes_of(text), "cpu") for text in ("3GB", "4GB", "16GB"))
    assert [each.pipeline.tiles.batch for each in (less, more, most)] == [1, 2, 4]
    assert less.large_px < most.large_px
    assert less.large_px < idle_job.large_px < most.large_px
    assert less.pipeline.tiles.size == idle_job.pipeline.tiles.size


@pytest.mark.parametrize(("memory", "lanes", "batch"), [("3GB", 1, 1), ("4GB", 2, 1), ("16GB", 4, 3)])
def test_lanes_come_before_larger_batches(idle_job, memory, lanes, batch):
    four = replace(idle_job, pipeline=replace(idle_job.pipeline, lanes=4))
    found = within_memory(four, bytes_of(memory), "cpu")
    assert (found.pipeline.lanes, found.pipeline.tiles.batch) == (lanes, batch)
    alone = within_memory(replace(idle_job, pipeline=replace(idle_job.pipeline, lanes=1)), bytes_of(memory), "cpu")
    assert found.large_px <= alone.large_px


def test_tiles_on_a_gpu_take_none_of_it(idle_job):
    assert within_memory(idle_job, bytes_of("3GB"), "cuda:1").pipeline.tiles.batch == 4


def test_too_little_for_one_tile_is_refused(idle_job):
    with pytest.raises(
        ValueError, match=r"2.0 GB of memory came, but about 2.6 GB are needed for tiles of 1024 × 1024 px"
    ):
        within_memory(idle_job, bytes_of("2GB"), "cpu")


@pytest.mark.parametrize("text", ["4", "GB", "-4GB", "4 TB", ""])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(ValueError, match="a number of MB or GB was expected, such as 4GB"):
        bytes_of(text)
