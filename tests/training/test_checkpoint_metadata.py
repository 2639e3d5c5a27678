"""What checkpoints say of themselves, and that nothing is evaluated as what it is not."""

import json
from pathlib import Path

import pytest
import torch

from cellseg_monai.errors import CheckpointError
from cellseg_monai.heads import BoundaryMasksHead, ForegroundHead
from cellseg_monai.networks import unet
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.training import TrainedNetwork, read_checkpoint, read_record, save_checkpoint, trained_network
from cellseg_monai.training.checkpoint_metadata import make_record, stamped_state

PREPROCESS = Preprocessing(lower_percentile=0, shorter_side_px=48)


def tiny(**options: object) -> torch.nn.Module:
    return unet(channels=(2, 4), **options)


def save(folder: Path, network: torch.nn.Module, variants: tuple[str, ...] = ()) -> Path:
    said = {"bundle": "toy", "variants": variants, "preprocess": PREPROCESS, "roi_size": (64, 32), "overlap": 0.5}
    save_checkpoint(stamped_state(network, make_record(network, said)), folder / "model.pt")
    return folder / "model.pt"


def test_a_checkpoint_is_a_plain_state_dict_that_says_what_it_is(tmp_path: Path) -> None:
    network = tiny(classes=2)
    state = read_checkpoint(save(tmp_path, network, ("two_classes",)))
    assert state.keys() == network.state_dict().keys()
    network.load_state_dict(state)
    record = read_record(state)
    assert json.loads(json.dumps(record)) == record
    assert (record["bundle"], record["variants"], record["roi_size"]) == ("toy", ["two_classes"], [64, 32])
    assert record["network"]["classes"] == 2


def test_the_head_is_the_one_that_it_was_trained_with(tmp_path: Path) -> None:
    network = tiny(classes=2)
    said = {"bundle": "toy", "variants": (), "head": BoundaryMasksHead(width=3), "roi_size": (64, 32)}
    save_checkpoint(stamped_state(network, make_record(network, said)), tmp_path / "model.pt")
    trained = TrainedNetwork(tmp_path / "model.pt", head=ForegroundHead())
    assert trained.head == BoundaryMasksHead(width=3)
    # One that does not say has that of the bundle.
    assert TrainedNetwork(save(tmp_path, network), head=ForegroundHead(softmax=True)).head == ForegroundHead(
        softmax=True
    )


def test_the_network_is_built_as_it_was_trained(tmp_path: Path) -> None:
    saved = tiny(classes=2, residual=True)
    # The config's own network is another one: the checkpoint knows better.
    trained = TrainedNetwork(save(tmp_path, saved, ("two_classes",)), bundle="toy", network=tiny())
    image = torch.rand(1, 1, 8, 8)
    assert torch.equal(trained.network.eval()(image), saved.eval()(image))
    assert trained.preprocess == PREPROCESS
    assert (trained.roi_size, trained.overlap, trained.variants) == ([64, 32], 0.5, ("two_classes",))
    assert torch.equal(trained_network(tmp_path / "model.pt")(image), saved(image))


def test_what_the_config_says_of_the_window_wins(tmp_path: Path) -> None:
    trained = TrainedNetwork(save(tmp_path, tiny()), roi_size=(8, 8), overlap=0.0)
    assert (trained.roi_size, trained.overlap) == ([8, 8], 0.0)


def test_the_order_of_variants_does_not_matter(tmp_path: Path) -> None:
    assert TrainedNetwork(save(tmp_path, tiny(), ("a", "b")), variants=["b", "a"]).variants == ("a", "b")


@pytest.mark.parametrize(
    ("trained", "asked", "message"),
    [
        (("two_classes",), {"variants": ["no_norm"]}, "with variant two_classes, but variant no_norm was asked for"),
        ((), {"variants": ["no_norm"]}, "with no variant, but variant no_norm was asked for"),
        ((), {"bundle": "unet"}, "is of the bundle 'toy', not 'unet'"),
    ],
    ids=["another variant", "none", "another bundle"],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path: Path, trained: tuple, asked: dict, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        TrainedNetwork(save(tmp_path, tiny(), trained), **asked)


class TestOfAnotherOrigin:
    """A plain state dict, as other tools write it."""

    @pytest.fixture
    def checkpoint(self, tmp_path: Path) -> Path:
        torch.save(dict(tiny().state_dict()), tmp_path / "model.pt")
        return tmp_path / "model.pt"

    def test_it_is_taken_as_the_config_says(self, checkpoint: Path) -> None:
        trained = TrainedNetwork(
            checkpoint, bundle="toy", network=tiny(), preprocess=PREPROCESS, roi_size=[8, 8], overlap=0.1
        )
        assert (trained.preprocess, trained.roi_size, trained.overlap) == (PREPROCESS, [8, 8], 0.1)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({}, "does not say what network it is of"),
            ({"network": tiny()}, 'pass --roi_size, such as "\\[256,256\\]"'),
            ({"network": tiny(), "variants": ["a"]}, "does not say what variant it was trained with"),
            ({"network": tiny(residual=True), "roi_size": [8, 8]}, "is of another network"),
        ],
        ids=["network", "size", "variant", "weights"],
    )
    def test_what_it_does_not_say_is_asked_for(self, checkpoint: Path, given: dict, message: str) -> None:
        with pytest.raises(CheckpointError, match=message):
            TrainedNetwork(checkpoint, **given)
