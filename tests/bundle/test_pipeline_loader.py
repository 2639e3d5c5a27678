"""The pipeline of a bundle, and the function that loads it in other processes."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from cellseg_monai.bundle import PipelineLoader, find_bundle, load_pipeline
from cellseg_monai.errors import BundleError
from cellseg_monai.segment_options import SegmentOptions


def test_a_loader_is_equal_to_another_with_the_same_options():
    loader = PipelineLoader(SegmentOptions("nuclei", channels=["DAPI"], checkpoint="weights.pt"))
    copy = pickle.loads(
        pickle.dumps(PipelineLoader(SegmentOptions("nuclei", channels=("DAPI",), checkpoint="weights.pt")))
    )
    assert {loader: "loaded"}[copy] == "loaded"
    assert PipelineLoader(SegmentOptions("nuclei", channels="DAPI,0")) not in {loader}


def test_a_diameter_is_refused_if_the_bundle_lacks_that_of_its_training_data(tmp_path):
    """The weights are others, and were trained on images at their own size."""
    state = torch.load(find_bundle("nuclei") / "models" / "model.pt", weights_only=True)
    next(iter(state.values())).add_(1)
    state._metadata["cellseg_monai"]["preprocess"] |= {"diameter_px": None, "polarity": "any"}
    torch.save(state, tmp_path / "model.pt")
    with pytest.raises(BundleError, match="does not record the diameter of the objects that"):
        load_pipeline("nuclei", checkpoint=tmp_path / "model.pt", diameter=30)


class TestBeforeTheNetworkIsLoaded:
    """Checks that come first even if the network cannot be loaded, because its weights lack a tensor."""

    @pytest.fixture
    def broken(self, tmp_path):
        state = torch.load(find_bundle("nuclei") / "models" / "model.pt", weights_only=True)
        state.popitem()
        torch.save(state, tmp_path / "model.pt")
        with pytest.raises(BundleError, match="belongs to another network: 1 of the"):
            load_pipeline("nuclei", checkpoint=tmp_path / "model.pt")
        return tmp_path / "model.pt"

    def test_a_wrong_number_of_channels_is_refused(self, broken):
        with pytest.raises(
            ValueError, match=r"got 2 channel\(s\), 0, 1, expected 1 for the bundle nuclei; pass that number"
        ):
            load_pipeline("nuclei", checkpoint=broken, channels="0,1")

    def test_the_preparation_of_images_can_be_checked(self, broken):
        def check(preprocess):
            raise LookupError(preprocess.channels)

        with pytest.raises(LookupError, match="DAPI"):
            load_pipeline("nuclei", checkpoint=broken, channels=["DAPI"], check=check)
        with pytest.raises(LookupError, match="grey"):
            PipelineLoader(SegmentOptions("nuclei", checkpoint=broken))(check)


def test_a_polarity_is_refused_by_a_bundle_that_takes_both(tmp_path):
    with pytest.raises(ValueError, match="got polarity=dark for the bundle cells_phase, which takes bright and dark"):
        load_pipeline("cells_phase", polarity="dark")


@pytest.mark.parametrize("diameter", [0, -1, float("nan"), float("inf"), 0.5, 10_000])
def test_an_impossible_diameter_is_refused(diameter):
    with pytest.raises(ValueError, match=r"expected"):
        load_pipeline("nuclei", diameter=diameter)


class Called(TorchFunctionMode):
    """A mode that records which torch functions are called."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.names.add(getattr(function, "__name__", ""))
        return function(*args, **(kwargs or {}))


def test_normalisation_is_folded_into_the_convolutions():
    pipeline = load_pipeline("nuclei", device="cpu").largest
    with Called() as called:
        pipeline.network(np.zeros((1, 1, 32, 32), np.float32))
    assert "conv2d" in called.names
    assert "batch_norm" not in called.names


@pytest.mark.parametrize("arguments", [{}, {"amp": True}], ids=["by default", "if asked for"])
def test_bfloat16_is_measured_where_the_processor_may_lack_it(arguments):
    """In another process, because oneDNN reads the variable that hides instructions from it only once."""
    code = f"""
from cellseg_monai.bundle import load_pipeline
pipeline = load_pipeline("nuclei", device="cpu", **{arguments}).largest
print(pipeline.precision, *[note.text for note in pipeline.notes], sep="|")
"""
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    precision, *notes = said.stdout.strip().split("|")
    assert precision == ("bfloat16" if arguments else "float32")
    assert len(notes) == len(arguments)
    assert all("times as long as float32 on cpu" in note and "leave out --amp" in note for note in notes)
