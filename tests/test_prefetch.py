"""Items that are made ahead of their use."""

import threading

import pytest

from cellseg_monai.prefetch import prefetch


def test_an_error_is_raised_in_place_of_its_item():
    def items():
        yield 1
        raise OSError("the disk is gone")

    prefetched = prefetch(items())
    assert next(prefetched) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(prefetched)


def test_closing_the_generator_early_leaves_no_thread_behind():
    endless = prefetch(iter(int, 1), count=2)
    next(endless)
    endless.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("cellseg-prefetch")]
