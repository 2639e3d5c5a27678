"""A recipe in another process: loaded once, and what was expected."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from cellseg_monai.inference import Recipe, Tiles
from cellseg_monai.inference.remote import RemoteRecipe
from cellseg_monai.labels import Postprocessing
from cellseg_monai.pixels import Preprocessing


@dataclass(frozen=True)
class Load:
    """Loads a recipe whose weights are a file."""

    weights: Path

    def __call__(self):
        return Recipe(
            bundle="none",
            version="1",
            weights_sha256=self.weights.read_text(),
            network=lambda batch: batch,
            activation=lambda logits: logits,
            preprocess=Preprocessing(),
            postprocess=Postprocessing(),
            tiles=Tiles((64, 64)),
        )


@pytest.fixture
def load(tmp_path):
    (tmp_path / "weights").write_text("1" * 64)
    return Load(tmp_path / "weights")


def test_it_is_loaded_once(load):
    sent = RemoteRecipe.of(load(), load)
    network = sent.loaded().network
    assert RemoteRecipe.of(load(), Load(load.weights)).loaded().network is network


def test_weights_that_were_replaced_under_the_same_name_are_loaded(load):
    before = RemoteRecipe.of(load(), load)
    before.loaded()
    load.weights.write_text("2" * 64)
    assert RemoteRecipe.of(load(), load).loaded().weights_sha256 == "2" * 64
    with pytest.raises(ValueError, match="finds weights 222222222222 of the bundle none, but 111111111111"):
        before.loaded()
