"""A job that several tests of segmenting begin with."""

from pathlib import Path

import pytest

from cellseg_monai.decoding import Postprocessing
from cellseg_monai.inference import Job, Pipeline, Tiles
from cellseg_monai.pixels import Preprocessing
from tests.raw_head import RawHead


@pytest.fixture
def idle_job():
    """A job that is never run; tests look at what follows from its settings."""
    pipeline = Pipeline(
        bundle="none",
        version="1",
        weights_sha256="",
        network=lambda batch: batch,
        head=RawHead(),
        preprocess=Preprocessing(),
        postprocess=Postprocessing(),
        tiles=Tiles((1024, 1024), batch=4),
    )
    return Job(pipeline, Path("out"))
