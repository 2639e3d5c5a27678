"""A pipeline whose parts do not fit is refused when it is made, not in the middle of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from cellseg_monai.decoding import BoundaryWatershed, Postprocessing
from cellseg_monai.heads import ForegroundHead, Head
from cellseg_monai.inference import Pipeline, Tiles, prepared_plane, segment_plane
from cellseg_monai.pixels import Preprocessing
from tests.cells import cells
from tests.raw_head import RawHead


def pipeline(head: Head, postprocess: Postprocessing | None = None, **settings: Any) -> Pipeline:
    return Pipeline(
        bundle="bright",
        version="1",
        weights_sha256="",
        network=lambda batch: batch,
        head=head,
        preprocess=Preprocessing(noise_floor=0),
        postprocess=postprocess or Postprocessing(),
        tiles=Tiles((64, 64)),
        **settings,
    )


def test_a_method_whose_maps_the_head_does_not_give_is_refused() -> None:
    message = "got a head with the maps foreground, but no boundary, which the method boundary_watershed needs"
    with pytest.raises(ValueError, match=message):
        pipeline(ForegroundHead(), Postprocessing(BoundaryWatershed()))
    with pytest.raises(ValueError, match="but no foreground"):
        pipeline(RawHead(("distance",)))


def test_a_head_does_not_take_the_name_of_the_share_of_views() -> None:
    with pytest.raises(ValueError, match="a map called views"):
        pipeline(RawHead(("foreground", "views")))


@dataclass(frozen=True)
class ForgetfulHead(RawHead):
    """Declares a map that it does not give."""

    @property
    def maps(self) -> tuple[str, ...]:
        return (*self.names, "class/round")


@dataclass(frozen=True)
class SmallHead(RawHead):
    """Gives maps of another size than its logits."""

    def activate(self, logits: np.ndarray) -> dict[str, np.ndarray]:
        return {name: values[1:] for name, values in super().activate(logits).items()}


@pytest.mark.parametrize(
    ("head", "tta"),
    [(ForgetfulHead(), False), (ForgetfulHead(), True), (SmallHead(), False)],
    ids=["a map missing", "a map missing in all views", "another size"],
)
def test_a_head_that_does_not_give_what_it_declares_is_a_fault_of_the_program(head: Head, tta: bool) -> None:
    forgetful = pipeline(head, tta=tta)
    plane = prepared_plane(cells()[np.newaxis], forgetful)
    with pytest.raises(TypeError, match=f"{type(head).__name__} returned maps of shapes .*, expected "):
        segment_plane(plane, forgetful)
