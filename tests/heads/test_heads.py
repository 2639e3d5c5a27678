"""Heads: targets and maps calculated by hand, and heads as plain data."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from cellseg_monai.errors import BundleError
from cellseg_monai.heads import (
    NO_TAGS,
    BoundaryClassesHead,
    BoundaryMasksHead,
    CellClassHead,
    ForegroundHead,
    Head,
    ImageClassHead,
    JoinedHeads,
    head_from_mapping,
)

HEADS = [
    ForegroundHead(),
    ForegroundHead(softmax=True),
    BoundaryClassesHead(width=4),
    BoundaryMasksHead(),
    JoinedHeads((ForegroundHead(),)),
    CellClassHead(("round", "elongated")),
    ImageClassHead(("A172", "BV2", "MCF7"), tag="cell_type"),
    JoinedHeads((BoundaryMasksHead(), ImageClassHead(("A", "B")), CellClassHead(("A", "B", "C")))),
]
LABELS = np.array([[0, 4, 4, 4, 7, 7, 7, 0]])


@pytest.mark.parametrize("head", HEADS, ids=str)
class TestEveryHead:
    def test_maps_are_named_probabilities_for_any_logits(self, head: Head) -> None:
        logits = np.random.default_rng(0).normal(0, 20, (len(head.channels), 90, 80))
        for dtype in (np.float16, np.float32, np.float64):
            maps = head.activate(logits.astype(dtype))
            assert tuple(maps) == head.maps
            for values in maps.values():
                assert (values.shape, values.dtype) == ((90, 80), np.float32)
                assert 0 <= values.min() <= values.max() <= 1

    def test_an_image_without_pixels_has_maps_without_pixels(self, head: Head) -> None:
        maps = head.activate(np.zeros((len(head.channels), 0, 4)))
        assert {values.shape for values in maps.values()} == {(0, 4)}

    def test_logits_with_other_channels_are_refused_with_the_expected_names(self, head: Head) -> None:
        count = len(head.channels)
        for shape in ((count + 1, 2, 2), (2, 2), (1, count, 2, 2)):
            with pytest.raises(ValueError, match=rf"expected \({count}, Y, X\) with the channels {head.channels[0]}"):
                head.activate(np.zeros(shape))

    def test_the_target_is_float32_of_the_size_of_the_labels(self, head: Head) -> None:
        target = head.encode(LABELS)
        assert (target.dtype, target.shape) == (np.float32, (head.target_channels, 1, 8))
        assert not head.exclusive or target.max() < len(head.channels)

    def test_it_survives_conversion_to_json_and_pickling(self, head: Head) -> None:
        mapping = json.loads(json.dumps(head.to_mapping()))
        assert head_from_mapping(mapping, source="a checkpoint") == head
        assert pickle.loads(pickle.dumps(head)) == head

    def test_the_metadata_names_each_channel(self, head: Head) -> None:
        metadata = head.metadata()
        assert list(metadata["channel_def"].values()) == list(head.channels)
        assert metadata["num_channels"] == len(head.channels)


def test_one_channel_is_a_sigmoid() -> None:
    logits = np.array([[[-200.0, 0.0, np.log(3), 200.0]]], np.float32)
    assert ForegroundHead().activate(logits)["foreground"][0].tolist() == pytest.approx([0, 0.5, 0.75, 1])


def test_two_channels_are_a_softmax_whose_second_channel_is_the_foreground() -> None:
    logits = torch.tensor([[[1.0, -3.0, 100.0]], [[2.0, -3.0, -100.0]]])
    expected = torch.softmax(logits, dim=0)[1]
    maps = ForegroundHead(softmax=True).activate(logits.numpy())
    np.testing.assert_allclose(maps["foreground"], expected.numpy(), atol=1e-7)


def test_half_precision_is_widened_before_a_difference_that_would_overflow() -> None:
    logits, head = np.array([[[60_000.0]], [[-60_000.0]]], np.float16), ForegroundHead(softmax=True)
    assert head.activate(logits)["foreground"].tolist() == [[0]]
    assert head.activate(logits[::-1])["foreground"].tolist() == [[1]]


def test_the_foreground_of_three_classes_includes_the_boundary() -> None:
    # The exponentials are 1, 2 and 5.
    maps = BoundaryClassesHead().activate(np.log([[[1.0]], [[2.0]], [[5.0]]]).astype(np.float32))
    assert [values.item() for values in maps.values()] == pytest.approx([7 / 8, 5 / 8])


def test_two_masks_are_a_sigmoid_each() -> None:
    maps = BoundaryMasksHead().activate(np.array([[[np.log(3)]], [[-200.0]]], np.float64))
    assert [values.item() for values in maps.values()] == pytest.approx([0.75, 0])


def test_targets_by_hand() -> None:
    assert ForegroundHead(softmax=True).encode(LABELS).tolist() == [[[0, 1, 1, 1, 1, 1, 1, 0]]]
    assert BoundaryClassesHead(width=2).encode(LABELS).tolist() == [[[0, 1, 1, 2, 2, 1, 1, 0]]]
    assert BoundaryClassesHead(width=4).encode(LABELS).tolist() == [[[0, 1, 2, 2, 2, 2, 1, 0]]]
    assert BoundaryMasksHead(width=1).encode(LABELS)[:, 0].tolist() == [
        [0, 1, 1, 1, 1, 1, 1, 0],
        [0, 0, 0, 0, 1, 0, 0, 0],
    ]


@pytest.mark.parametrize("width", [0, 2.0, "2"])
def test_an_impossible_width_is_refused(width: object) -> None:
    with pytest.raises(ValueError, match="expected a whole number of pixels, at least 1"):
        BoundaryClassesHead(width=width)  # type: ignore[arg-type]


@dataclass(frozen=True)
class RoundCellsHead(Head):
    """A head of another project: the probability that a cell is round, as the tags of its image say."""

    channels = ("class/round",)
    maps = ("class/round",)

    def encode(
        self, labels: np.ndarray, tags: Mapping[str, Any] = NO_TAGS, classes: np.ndarray | None = None
    ) -> np.ndarray:
        return np.float32((labels > 0) & (tags.get("cell_type") == "round"))[np.newaxis]

    def activate(self, logits: np.ndarray) -> dict[str, np.ndarray]:
        return {"class/round": self._check(logits)[0]}


class TestJoinedHeads:
    HEAD = JoinedHeads((BoundaryClassesHead(), RoundCellsHead()))

    def test_channels_targets_and_maps_are_concatenated(self) -> None:
        assert self.HEAD.channels == ("background", "interior", "boundary", "class/round")
        assert self.HEAD.maps == ("foreground", "boundary", "class/round")
        assert self.HEAD.measured_maps == ("foreground", "class/round")
        assert self.HEAD.target_channels == 2
        boundary = [0, 1, 1, 2, 2, 1, 1, 0]
        assert self.HEAD.encode(LABELS)[:, 0].tolist() == [boundary, [0] * 8]
        assert self.HEAD.encode(LABELS, {"cell_type": "round"})[:, 0].tolist() == [boundary, [0, *[1] * 6, 0]]
        logits = np.concatenate([np.zeros((3, 1, 2)), np.full((1, 1, 2), 0.25)])
        maps = self.HEAD.activate(logits)
        assert maps["foreground"].tolist() == pytest.approx(np.full((1, 2), 2 / 3))
        assert maps["class/round"].tolist() == [[0.25, 0.25]]

    def test_duplicate_names_are_refused(self) -> None:
        with pytest.raises(ValueError, match="share the maps foreground"):
            JoinedHeads((ForegroundHead(), BoundaryClassesHead()))
        with pytest.raises(ValueError, match="got no heads"):
            JoinedHeads(())

    def test_channels_of_equal_names_are_told_apart_by_their_heads(self) -> None:
        @dataclass(frozen=True)
        class CellTypeHead(RoundCellsHead, key="test_heads.cell_type"):
            """A head with a background of its own."""

            channels = ("background", "class/round")

        assert JoinedHeads((BoundaryClassesHead(), CellTypeHead())).channels == (
            "boundary_classes/background",
            "interior",
            "boundary",
            "test_heads.cell_type/background",
            "class/round",
        )


class TestClasses:
    CELLS = CellClassHead(("round", "elongated"))
    IMAGE = ImageClassHead(("A172", "BV2"), tag="cell_type")
    JOINED = JoinedHeads((ForegroundHead(), IMAGE, CELLS))

    def test_targets_hold_class_numbers_where_the_class_is_known(self) -> None:
        target = self.JOINED.encode(LABELS, {"cell_type": "BV2"}, np.array([[7, 1]]))
        assert target[:, 0].tolist() == [[0, *[1] * 6, 0], [1] * 8, [-1] * 4 + [1] * 3 + [-1]]

    def test_what_is_unknown_is_no_class(self) -> None:
        for tags in ({}, {"cell_type": ""}, {"cell_type": float("nan")}, {"cell_type": None}):
            assert (self.JOINED.encode(LABELS, tags)[1:] == -1).all()

    def test_maps_are_softmax_probabilities_of_each_head(self) -> None:
        logits = np.log([1.0, 1, 3, 4, 1])[:, None, None]
        maps = self.JOINED.activate(logits)
        assert {name: round(values.item(), 4) for name, values in maps.items()} == {
            "foreground": 0.5,
            "image_class/A172": 0.25,
            "image_class/BV2": 0.75,
            "class/round": 0.8,
            "class/elongated": 0.2,
        }

    def test_only_classes_of_objects_are_measured_and_named(self) -> None:
        assert self.JOINED.measured_maps == ("foreground", "class/round", "class/elongated")
        assert self.JOINED.class_names == ("round", "elongated")
        assert self.IMAGE.class_names == ()

    def test_pooled_channels_are_numbered_among_all_channels(self) -> None:
        assert self.JOINED.pooled_channels == (1, 2)
        assert JoinedHeads((self.CELLS, self.JOINED.heads[0], self.IMAGE)).pooled_channels == (3, 4)

    def test_a_tag_that_names_no_class_is_refused(self) -> None:
        with pytest.raises(ValueError, match="got the tag cell_type='A17', expected one of A172, BV2"):
            self.IMAGE.encode(LABELS, {"cell_type": "A17"})

    @pytest.mark.parametrize("names", [(), ("round",), "round", ("a", "a"), ("a", "b/c"), ("a", " b"), ("a", 1)])
    def test_classes_without_proper_names_are_refused(self, names: Any) -> None:
        with pytest.raises(ValueError, match="got the class"):
            CellClassHead(names)

    def test_two_heads_for_classes_of_objects_are_refused(self) -> None:
        with pytest.raises(ValueError, match=r"several heads for classes of objects \(cell_class, cell_class\)"):
            JoinedHeads((self.CELLS, CellClassHead(("a", "b"))))


class TestNames:
    def test_a_subclass_does_not_inherit_the_name_of_its_parent(self) -> None:
        @dataclass(frozen=True)
        class Wider(BoundaryClassesHead):
            """A head that nobody has named."""

        with pytest.raises(BundleError, match=r"Wider has no key, .* write `class Wider"):
            Wider().to_mapping()

    def test_a_name_that_is_taken_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"'foreground' for .*ForegroundHead already has it"):

            class Another(ForegroundHead, key="foreground"):
                """Would be read where the first was written."""

        assert head_from_mapping({"name": "foreground"}, source="a") == ForegroundHead()


class TestPlainData:
    @pytest.mark.parametrize(
        ("values", "message"),
        [
            (
                {},
                "got the head None, expected one of boundary_classes, boundary_masks, cell_class, foreground, image_c",
            ),
            ({"name": "forground"}, "got the head 'forground'"),
            ({"name": ["foreground"]}, "got the head"),
            ({"name": "foreground", "sigmoid": True}, "cannot build the head 'foreground'"),
            ({"name": "boundary_masks", "width": 0}, "expected a whole number of pixels"),
            ({"name": "joined", "heads": "foreground"}, "expected a list under 'heads'"),
            ({"name": "joined"}, "expected a list under 'heads'"),
            ({"name": "joined", "heads": []}, "got no heads"),
        ],
    )
    def test_invalid_heads_are_refused_with_their_source(self, values: dict, message: str) -> None:
        with pytest.raises(BundleError, match=f"^model.pt: .*{message}"):
            head_from_mapping(values, source="model.pt")

    def test_a_head_of_another_project_is_found_by_its_name(self) -> None:
        @dataclass(frozen=True)
        class ForeignHead(RoundCellsHead, key="test_heads.foreign"):
            """A head that a recipe of another project names."""

        assert head_from_mapping({"name": "test_heads.foreign"}, source="a") == ForeignHead()
