"""Tests of averaging a network's weights during training."""

import pytest
import torch

from cellseg_monai.training import WeightAverage


def network() -> torch.nn.Sequential:
    layers = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False), torch.nn.BatchNorm1d(1))
    torch.nn.init.constant_(layers[0].weight, 0.0)
    return layers


def test_the_average_moves_by_one_minus_the_decay_and_faster_at_the_start() -> None:
    trained = network()
    average = WeightAverage(trained, decay=0.25)
    torch.nn.init.constant_(trained[0].weight, 1.0)
    seen = []
    for _ in range(5):
        average.update()
        seen.append(average.network[0].weight.item())  # type: ignore[index,union-attr]
    # Shares of the old average: 1/10, 2/11, 3/12 and then the decay, 1/4.
    missing = [0.1, 0.1 * 2 / 11, 0.1 * 2 / 11 / 4, 0.1 * 2 / 11 / 16, 0.1 * 2 / 11 / 64]
    assert seen == pytest.approx([1 - part for part in missing])


def test_statistics_of_normalisation_are_averaged_and_counters_copied() -> None:
    trained = network()
    average = WeightAverage(trained, decay=0.9)
    trained[1].running_mean.fill_(10.0)  # type: ignore[union-attr,operator]
    trained[1].num_batches_tracked.fill_(7)  # type: ignore[union-attr,operator]
    average.update()
    state = average.network.state_dict()
    assert state["1.running_mean"].item() == pytest.approx(9.0)
    assert state["1.num_batches_tracked"].item() == 7


def test_without_averaging_the_network_in_training_is_used() -> None:
    trained = network()
    assert WeightAverage(trained, decay=0.0).network is trained


@pytest.mark.parametrize("decay", [-0.1, 1.0, float("nan")])
def test_impossible_decays_are_refused(decay: float) -> None:
    with pytest.raises(ValueError, match="expected a number from 0 to below 1"):
        WeightAverage(network(), decay)
