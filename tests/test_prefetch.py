"""What is made ahead of its use."""

import threading

import pytest

from cellseg_monai.prefetch import prefetch


def test_what_is_made_ahead_fails_where_it_would_have_come():
    def items():
        yield 1
        raise OSError("the disk is gone")

    made = prefetch(items())
    assert next(made) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(made)


def test_who_stops_early_leaves_no_thread_behind():
    endless = prefetch(iter(int, 1), count=2)
    next(endless)
    endless.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("cellseg-prefetch")]
