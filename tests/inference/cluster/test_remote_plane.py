"""A pipeline in another process is loaded once, and has the expected weights."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from cellseg_monai.decoding import Postprocessing
from cellseg_monai.inference import Pipeline, Tiles
from cellseg_monai.inference.cluster.remote_plane import RemotePipeline
from cellseg_monai.pixels import Preprocessing
from tests.raw_head import RawHead


@dataclass(frozen=True)
class Load:
    """Loads a pipeline whose weights are a file."""

    weights: Path

    def __call__(self):
        return Pipeline(
            bundle="none",
            version="1",
            weights_sha256=self.weights.read_text(),
            network=lambda batch: batch,
            head=RawHead(),
            preprocess=Preprocessing(),
            postprocess=Postprocessing(),
            tiles=Tiles((64, 64)),
        )


@pytest.fixture
def load(tmp_path):
    (tmp_path / "weights").write_text("1" * 64)
    return Load(tmp_path / "weights")


def test_a_pipeline_is_loaded_once(load):
    sent = RemotePipeline.of(load(), load)
    network = sent.loaded().network
    assert RemotePipeline.of(load(), Load(load.weights)).loaded().network is network


def test_weights_that_were_replaced_under_the_same_path_are_loaded_again(load):
    before = RemotePipeline.of(load(), load)
    before.loaded()
    load.weights.write_text("2" * 64)
    assert RemotePipeline.of(load(), load).loaded().weights_sha256 == "2" * 64
    with pytest.raises(ValueError, match="SHA-256 222222222222 in the bundle none, expected 111111111111"):
        before.loaded()
