"""Pretraining of every bundle that has an encoder from segmentation-models-pytorch."""

import pytest

from cellseg_monai.bundle import find_bundles
from tests.contracts.pretraining import PretrainingContract


class TestUnet(PretrainingContract):
    name = "unet"


class TestPspnet(PretrainingContract):
    """Its encoder lacks the stages that it does not run."""

    name = "pspnet"


@pytest.mark.slow
class TestUnetpp(PretrainingContract):
    name = "unetpp"
    encoder = None


@pytest.mark.slow
class TestNucleiB3(PretrainingContract):
    name = "nuclei_b3"
    encoder = None


@pytest.mark.slow
class TestMultiheadUnet(PretrainingContract):
    name = "multihead_unet"
    encoder = None


def test_no_bundle_is_left_out():
    able = {path.name for path in find_bundles() if (path / "configs" / "pretrain.json").is_file()}
    tried = {kind.name for kind in PretrainingContract.__subclasses__()}
    assert able == tried
