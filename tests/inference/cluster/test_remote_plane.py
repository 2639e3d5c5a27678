"""A pipeline in another process is loaded once, and has the expected weights."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cellseg_monai.decoding import Postprocessing
from cellseg_monai.inference import Pipeline, ScoutedPipelines, Tiles
from cellseg_monai.inference.cluster.remote_plane import RemoteChooser, RemotePipeline
from cellseg_monai.pixels import Preprocessing
from cellseg_monai.scouting import Scout
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


@dataclass(frozen=True)
class LoadScouted:
    """Loads two pipelines among which a scout chooses; `loads` is a file that counts how often."""

    loads: Path
    scout_sha256: str = "s"

    def __call__(self):
        self.loads.write_text(f"{self.loads.read_text()}x" if self.loads.exists() else "x")
        weights = self.loads.with_name("weights")
        weights.write_text("1" * 64)
        pipelines = {name: replace(Load(weights)(), bundle=name) for name in ("nuclei", "cells_phase")}
        return ScoutedPipelines(Scout(lambda views: views, "1", self.scout_sha256), pipelines, is_strict=True)


class TestScouted:
    def test_all_bundles_are_loaded_together_and_once(self, tmp_path):
        load = LoadScouted(tmp_path / "loads")
        sent = RemoteChooser.of(load(), load)
        chooser = sent.loaded()
        assert (list(chooser.pipelines), chooser.is_strict) == (["nuclei", "cells_phase"], True)
        again = RemotePipeline.of(chooser.pipelines["cells_phase"], load).loaded()
        assert again.network is chooser.pipelines["cells_phase"].network
        assert load.loads.read_text() == "xx"  # here for the sender, and once in the other process

    def test_another_scout_is_refused(self, tmp_path):
        mine = LoadScouted(tmp_path / "loads")
        sent = RemoteChooser.of(mine(), LoadScouted(tmp_path / "loads", scout_sha256="other"))
        with pytest.raises(ValueError, match="a worker found another scout than this process"):
            sent.loaded()
