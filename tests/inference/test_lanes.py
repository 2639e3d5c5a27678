"""Lanes: batches at the same time, answers in order, the threads of torch unchanged."""

import threading

import numpy as np
import pytest
import torch

from cellseg_monai.inference import Tiles, predict
from cellseg_monai.inference.lanes import Lanes
from cellseg_monai.inference.torch_network import lanes_of


@pytest.fixture
def torch_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield 4
    torch.set_num_threads(before)


def test_batches_are_seen_together_and_answers_keep_the_order():
    meet = threading.Barrier(2, timeout=30)  # broken unless two calls are under way together

    def network(batch):
        meet.wait()
        return -batch

    with Lanes(2) as lanes:
        assert list(lanes.answers(network, iter(np.arange(6)))) == [0, -1, -2, -3, -4, -5]


def test_one_batch_more_than_there_are_lanes_is_made_ahead():
    made = []

    def batches():
        for number in range(9):
            made.append(number)
            yield np.array(number)

    with Lanes(2) as lanes:
        answers = lanes.answers(lambda batch: batch, batches())
        next(answers)
        assert made == [0, 1, 2]
        answers.close()
    assert made == [0, 1, 2]


def test_each_lane_uses_one_thread_of_torch_and_other_threads_keep_theirs(torch_threads):
    with Lanes(2) as lanes:
        assert list(lanes.answers(lambda batch: torch.get_num_threads(), range(3))) == [1, 1, 1]
        assert torch.get_num_threads() == torch_threads
    found = []
    later = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert found == [torch_threads]


def test_an_error_of_the_network_takes_the_place_of_its_answer():
    def network(batch):
        if batch == 1:
            raise MemoryError("too large")
        return batch

    with Lanes(2) as lanes:
        answers = lanes.answers(network, range(4))
        assert next(answers) == 0
        with pytest.raises(MemoryError, match="too large"):
            next(answers)


def test_there_are_as_many_lanes_as_cores_up_to_eight(torch_threads):
    assert lanes_of(torch.device("cpu")) == 4
    torch.set_num_threads(3)
    assert lanes_of(torch.device("cpu")) == 3
    torch.set_num_threads(64)
    assert lanes_of(torch.device("cpu")) == 8


def test_a_network_gives_the_same_answer_in_lanes():
    network = torch.nn.Conv2d(1, 3, 5, padding=2).eval()
    image = np.random.default_rng(0).random((1, 90, 70), np.float32)
    tiles = Tiles((32, 32), overlap=8, multiple=8)

    def answer(batch):
        with torch.inference_mode():
            return network(torch.from_numpy(batch)).numpy()

    with Lanes(2) as lanes:
        assert np.array_equal(predict(image, answer, tiles, lanes), predict(image, answer, tiles))
