"""Metadata of checkpoints, and the errors for checkpoints that do not fit."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cellseg_monai.errors import CheckpointError
from cellseg_monai.heads import BoundaryClassesHead, BoundaryMasksHead, ForegroundHead, Head
from cellseg_monai.networks import unet
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.training import TrainedNetwork, read_checkpoint, read_metadata, save_checkpoint, trained_network
from cellseg_monai.training.checkpoint_metadata import make_metadata, state_with_metadata

PREPROCESS = Preprocessing(lower_percentile=0, shorter_side_px=48)


def tiny(**options: object) -> torch.nn.Module:
    return unet(channels=(2, 4), **options)


def save(folder: Path, network: torch.nn.Module, variants: tuple[str, ...] = ()) -> Path:
    values = {"bundle": "toy", "variants": variants, "preprocess": PREPROCESS, "roi_size": (64, 32), "overlap": 0.5}
    save_checkpoint(state_with_metadata(network, make_metadata(network, values)), folder / "model.pt")
    return folder / "model.pt"


def test_a_checkpoint_is_a_plain_state_dict_with_metadata(tmp_path: Path) -> None:
    network = tiny(classes=2)
    state = read_checkpoint(save(tmp_path, network, ("two_classes",)))
    assert state.keys() == network.state_dict().keys()
    network.load_state_dict(state)
    metadata = read_metadata(state)
    assert json.loads(json.dumps(metadata)) == metadata
    assert (metadata["bundle"], metadata["variants"], metadata["roi_size"]) == ("toy", ["two_classes"], [64, 32])
    assert metadata["network"]["classes"] == 2


@pytest.mark.parametrize("variants", [(), ("two_classes",)], ids=["plain", "variant"])
def test_an_edited_preparation_that_has_no_effect_is_said(tmp_path: Path, caplog, variants: tuple[str, ...]) -> None:
    checkpoint = save(tmp_path, tiny(), variants)
    TrainedNetwork(checkpoint)
    TrainedNetwork(checkpoint, preprocess=PREPROCESS)
    assert caplog.messages == []
    trained = TrainedNetwork(checkpoint, preprocess=replace(PREPROCESS, shorter_side_px=96, channels="rgb"))
    assert trained.preprocess == PREPROCESS
    if variants:  # which can have a preparation of its own
        assert caplog.messages == []
        return
    (message,) = caplog.messages
    assert "the preprocess.json of the bundle toy has no effect" in message
    assert str(checkpoint) in message
    assert "channels 'grey', not 'rgb'; shorter_side_px 48, not 96" in message


def test_the_head_is_the_one_that_the_network_was_trained_with(tmp_path: Path) -> None:
    network = tiny(classes=2)
    values = {"bundle": "toy", "variants": (), "head": BoundaryMasksHead(width=3), "roi_size": (64, 32)}
    save_checkpoint(state_with_metadata(network, make_metadata(network, values)), tmp_path / "model.pt")
    trained = TrainedNetwork(tmp_path / "model.pt", head=ForegroundHead())
    assert trained.head == BoundaryMasksHead(width=3)
    # A checkpoint without a head in its metadata uses the head of the bundle.
    assert TrainedNetwork(save(tmp_path, network), head=ForegroundHead(softmax=True)).head == ForegroundHead(
        softmax=True
    )


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (BoundaryClassesHead(width=4), BoundaryMasksHead(width=4)),
        (ForegroundHead(), ForegroundHead(softmax=True)),
        (ForegroundHead(softmax=True), ForegroundHead(softmax=True)),
    ],
    ids=str,
)
def test_variants_of_checkpoints_without_a_head_are_known_by_their_channels(
    tmp_path: Path, head: Head, expected: Head
) -> None:
    assert TrainedNetwork(save(tmp_path, tiny(classes=2)), head=head).head == expected


def test_a_head_that_does_not_fit_the_network_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="4 output channels, but its head reads 3: background, interior, bound"):
        TrainedNetwork(save(tmp_path, tiny(classes=4)), head=BoundaryClassesHead())
    network = tiny(classes=2)
    values = {"bundle": "toy", "variants": (), "head": ForegroundHead(), "roi_size": (64, 32)}
    save_checkpoint(state_with_metadata(network, make_metadata(network, values)), tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="2 output channels, but its head reads 1: foreground"):
        TrainedNetwork(tmp_path / "model.pt")


def test_the_network_is_built_as_it_was_trained(tmp_path: Path) -> None:
    saved = tiny(classes=2, residual=True)
    # The config has another network, but the checkpoint takes precedence.
    trained = TrainedNetwork(save(tmp_path, saved, ("two_classes",)), bundle="toy", network=tiny())
    image = torch.rand(1, 1, 8, 8)
    assert torch.equal(trained.network.eval()(image), saved.eval()(image))
    assert trained.preprocess == PREPROCESS
    assert (trained.roi_size, trained.overlap, trained.variants) == ([64, 32], 0.5, ("two_classes",))
    assert torch.equal(trained_network(tmp_path / "model.pt")(image), saved(image))


def test_tile_size_and_overlap_of_the_config_take_precedence(tmp_path: Path) -> None:
    trained = TrainedNetwork(save(tmp_path, tiny()), roi_size=(8, 8), overlap=0.0)
    assert (trained.roi_size, trained.overlap) == ([8, 8], 0.0)


def test_the_order_of_variants_does_not_matter(tmp_path: Path) -> None:
    assert TrainedNetwork(save(tmp_path, tiny(), ("a", "b")), variants=["b", "a"]).variants == ("a", "b")


@pytest.mark.parametrize(
    ("trained", "expected", "message"),
    [
        (("two_classes",), {"variants": ["no_norm"]}, "with variant two_classes, expected variant no_norm"),
        ((), {"variants": ["no_norm"]}, "with no variant, expected variant no_norm"),
        ((), {"bundle": "unet"}, "belongs to the bundle 'toy', not 'unet'"),
    ],
    ids=["another variant", "no variant", "another bundle"],
)
def test_a_checkpoint_of_another_bundle_or_variant_is_refused(
    tmp_path: Path, trained: tuple, expected: dict, message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        TrainedNetwork(save(tmp_path, tiny(), trained), **expected)


class TestPlainStateDict:
    """A state dict without metadata, as other tools write it."""

    @pytest.fixture
    def checkpoint(self, tmp_path: Path) -> Path:
        torch.save(dict(tiny().state_dict()), tmp_path / "model.pt")
        return tmp_path / "model.pt"

    def test_it_is_read_as_the_config_describes_it(self, checkpoint: Path) -> None:
        trained = TrainedNetwork(
            checkpoint, bundle="toy", network=tiny(), preprocess=PREPROCESS, roi_size=[8, 8], overlap=0.1
        )
        assert (trained.preprocess, trained.roi_size, trained.overlap) == (PREPROCESS, [8, 8], 0.1)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({}, "does not describe its network"),
            ({"network": tiny()}, 'for example --roi_size "\\[256,256\\]"'),
            ({"network": tiny(), "variants": ["a"]}, "does not record which variant it was trained with"),
            ({"network": tiny(residual=True), "roi_size": [8, 8]}, "belongs to another network"),
        ],
        ids=["network", "size", "variant", "weights"],
    )
    def test_missing_or_wrong_descriptions_are_refused(self, checkpoint: Path, options: dict, message: str) -> None:
        with pytest.raises(CheckpointError, match=message):
            TrainedNetwork(checkpoint, **options)
