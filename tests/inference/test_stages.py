"""Planes that are labelled at the same time and finished in order."""

import threading
import time
from contextlib import closing

import pytest

from cellseg_monai.inference import Stages


def outcomes(stages, planes, size_px=1):
    for plane in planes:
        yield from stages.put(plane, size_px=size_px)
    yield from stages.drain()


def threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("cellseg")]


def test_outcomes_keep_the_order_although_later_planes_are_labelled_sooner():
    def label(plane, lanes):
        time.sleep(0.1 if plane == 0 else 0)
        return plane

    with Stages(label, lambda plane: plane, lanes=1, largest_px=100) as stages:
        assert list(outcomes(stages, range(6))) == list(range(6))
    assert threads() == []


def test_planes_are_labelled_at_the_same_time_and_finished_one_by_one():
    both = threading.Barrier(2, timeout=30)  # broken unless two planes are labelled together
    finishing = []

    def label(plane, lanes):
        both.wait()
        return plane

    def finish(plane):
        finishing.append(plane)
        time.sleep(0.02)
        assert finishing.pop() == plane
        assert finishing == []
        return plane

    with Stages(label, finish, lanes=1, largest_px=100) as stages:
        assert list(outcomes(stages, range(4))) == list(range(4))


def test_a_result_that_is_none_is_no_outcome():
    with Stages(lambda plane, lanes: plane, lambda plane: plane or None, lanes=1, largest_px=100) as stages:
        assert list(outcomes(stages, [0, 1, 0, 2])) == [1, 2]


@pytest.mark.parametrize(("size_px", "most"), [(1, 7), (100, 4)], ids=["small planes", "the largest planes"])
def test_no_more_planes_are_under_way_than_memory_is_counted_for(size_px, most):
    begun, seen, let_go = [], [], threading.Event()

    def label(plane, lanes):
        assert let_go.wait(30)
        return plane

    def counted(planes):
        for plane in planes:
            begun.append(plane)
            yield plane

    with Stages(label, lambda plane: plane, lanes=3, largest_px=100) as stages:
        taken = threading.Thread(target=lambda: seen.extend(outcomes(stages, counted(range(12)), size_px)))
        taken.start()
        time.sleep(0.3)
        assert len(begun) == most + 1  # the last one waits for room
        let_go.set()
        taken.join()
    assert seen == list(range(12))


@pytest.mark.parametrize("at", ["label", "finish"])
def test_an_error_comes_where_its_outcome_would(at):
    def fails(plane, *_):
        if plane == 2:
            raise TypeError("a slip of ours")
        return plane

    label, finish = (fails, lambda plane: plane) if at == "label" else (lambda plane, lanes: plane, fails)
    seen = []
    with Stages(label, finish, lanes=2, largest_px=100) as stages:
        running = outcomes(stages, range(5))
        with pytest.raises(TypeError, match="a slip"):
            seen.extend(running)
    assert seen == [0, 1]
    assert threads() == []


def test_leaving_early_completes_what_has_begun_and_drops_the_rest():
    finished = []

    def finish(plane):
        time.sleep(0.05)
        finished.append(plane)
        return plane

    with (
        Stages(lambda plane, lanes: plane, finish, lanes=1, largest_px=100) as stages,
        closing(outcomes(stages, range(9))) as running,
    ):
        assert next(running) == 0
    assert finished == list(range(len(finished)))
    assert len(finished) < 9
    assert threads() == []
