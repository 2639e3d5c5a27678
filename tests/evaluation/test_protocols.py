"""Each protocol worked out by hand from its published definition, and against loops that follow the definition."""

from operator import attrgetter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellseg_monai.evaluation import PROTOCOLS, Protocol, Score, find_protocol
from cellseg_monai.scores import aggregated_jaccard
from tests.evaluation.golden_images import PAIRS, dense

ALL = list(PROTOCOLS)


def score_of(protocol: str, *pairs: tuple[list, list], name: str | None = None) -> float:
    """Return the first or the named score of a protocol for pairs of prediction and truth."""
    chosen = PROTOCOLS[protocol]
    images = [chosen.count(np.array(prediction), np.array(truth)) for prediction, truth in pairs]
    return chosen.results(images)[name or chosen.scores[0].name].value


# A bar of five pixels, three of which are found: an IoU of exactly 0.6.
THREE_OF_FIVE = ([[0, 0, 7, 7, 7, 0, 0]], [[0, 50, 50, 50, 50, 50, 0]])
HALF = ([[0, 4, 4, 0, 0, 0]], [[0, 9, 9, 9, 9, 0]])


class TestCellseg:
    # Three of the four true pixels of one object, and a false object of two pixels.
    PAIR = ([[7, 7, 7, 0, 0, 0, 9, 9]], [[1, 1, 1, 1, 0, 0, 0, 0]])
    NOTHING = ([[0, 0]], [[0, 0]])

    def test_objects_and_foreground_are_scored_pooled_and_as_the_mean_of_images(self):
        # The object matches at six of the ten thresholds.
        f1, dice = 2 / 3 * 6 / 10, 2 * 3 / (4 + 5)
        for name, pooled in (("f1", f1), ("f1_50", 2 / 3), ("f1_75", 2 / 3), ("f1_90", 0), ("dice", dice)):
            assert score_of("cellseg", self.PAIR, self.NOTHING, name=f"{name}_pooled") == pytest.approx(pooled), name
            assert score_of("cellseg", self.PAIR, self.NOTHING, name=f"{name}_mean") == pytest.approx((pooled + 1) / 2)
        assert score_of("cellseg", self.PAIR, name="panoptic_quality_mean") == pytest.approx(0.75 / 1.5)
        assert score_of("cellseg", self.PAIR, name="accuracy_pooled") == pytest.approx(5 / 8)

    def test_a_predicted_foreground_of_its_own_changes_the_scores_of_pixels_only(self):
        protocol = find_protocol("cellseg")
        prediction, truth = map(np.array, self.PAIR)
        labelled = protocol.count(prediction, truth)
        masked = protocol.count(prediction, truth, truth > 0)
        assert masked.objects == labelled.objects
        assert (labelled.foreground.tp, labelled.foreground.fp, labelled.foreground.fn) == (3, 2, 1)
        assert protocol.results([masked])["dice_mean"].value == 1

    def test_a_foreground_is_refused_by_a_protocol_that_scores_objects_only(self):
        prediction, truth = map(np.array, self.PAIR)
        with pytest.raises(ValueError, match="dsb2018 scores objects only"):
            find_protocol("dsb2018").count(prediction, truth, truth > 0)

    def test_an_images_own_score_has_one_column_however_images_are_combined(self):
        protocol = find_protocol("cellseg")
        assert len({score.name for score in protocol.scores}) == len(protocol.scores) == 20
        assert len({score.image_name for score in protocol.scores}) == 10


class TestCaicedo:
    def test_predictions_are_dilated_by_a_pixel(self):
        # Dilated to the whole object: an IoU of 1 instead of 4 / 6.
        short = ([[0, 0, 7, 7, 7, 7, 0, 0]], [[0, 3, 3, 3, 3, 3, 3, 0]])
        assert score_of("caicedo2019", short) == 1
        assert score_of("bbbc039_mean_f1", short) == pytest.approx(4 / 10)  # above 0.50, 0.55, 0.60 and 0.65

    def test_dilation_takes_pixels_from_a_neighbour_with_a_lower_id(self):
        # Dilated, 8 covers pixels 2 to 5, and 5 covers pixels 0 and 1 because 8 took pixel 2: IoU 3 / 4 and 2 / 3.
        pair = ([[5, 5, 0, 8, 8, 0, 0]], [[1, 1, 1, 2, 2, 2, 0]])
        # Both match above 0.50 to 0.65, one above 0.70; the IoU of 3 / 4 does not exceed 0.75.
        assert score_of("caicedo2019", pair) == pytest.approx((4 * 1 + 1 * 0.5) / 9)

    def test_an_iou_of_exactly_the_threshold_is_no_match(self):
        # Dilated to three pixels of five, 0.6: above 0.50 and 0.55 of the nine thresholds.
        assert score_of("caicedo2019", ([[0, 0, 0, 7, 0, 0, 0]], THREE_OF_FIVE[1])) == pytest.approx(2 / 9)

    def test_there_are_nine_thresholds_and_the_last_is_090(self):
        # 19 of 20 pixels, 0.95, of a cell predicted two pixels smaller.
        truth = np.full((1, 20), 3)
        prediction = np.zeros((1, 20), int)
        prediction[0, 1:18] = 1
        assert PROTOCOLS["caicedo2019"].thresholds == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
        assert score_of("caicedo2019", (prediction, truth)) == 1
        prediction[0, 18] = 1
        assert score_of("bbbc039_mean_f1", (prediction, truth)) == pytest.approx(8 / 10)  # 18 of 20

    def test_pieces_of_a_true_id_are_objects_of_their_own(self):
        apart = ([[1, 1, 0, 0, 0, 2, 2]], [[6, 6, 0, 0, 0, 6, 6]])
        assert PROTOCOLS["bbbc039_mean_f1"].count(*map(np.array, apart)).true_objects == 2
        assert score_of("bbbc039_mean_f1", apart) == 1
        assert score_of("dsb2018", apart) == 0
        assert score_of("bbbc039_mean_f1", ([[1, 0], [0, 2]], [[6, 0], [0, 6]])) == 0  # a corner connects

    def test_every_image_counts_the_same(self):
        found, missed = ([[1, 1, 1, 0, 0, 0]], [[4, 4, 4, 4, 0, 0]]), ([[0, 0]], [[9, 0]])
        assert score_of("caicedo2019", found, missed) == pytest.approx((1 + 0) / 2)


def test_bbbc039_mean_f1():
    # 3 / 5 exceeds 0.50 and 0.55 of the ten thresholds.
    assert score_of("bbbc039_mean_f1", THREE_OF_FIVE) == pytest.approx(2 / 10)
    # Two of three objects found exactly: F1 is 4 / 5 at each threshold, averaged with the image above.
    pair = ([[1, 1, 0, 2, 0, 0]], [[5, 5, 0, 700, 0, 3]])
    assert score_of("bbbc039_mean_f1", pair, THREE_OF_FIVE) == pytest.approx((0.8 + 0.2) / 2)


def test_dsb2018():
    # An IoU of 3 / 5, an exact one, a missed and a false object: TP / all is 2 / 4 at 0.50 and 0.55, then 1 / 5.
    pair = ([[7, 7, 7, 0, 0, 2, 0, 9]], [[1, 1, 1, 1, 1, 2, 4, 0]])
    assert score_of("dsb2018", pair) == pytest.approx((2 * 2 / 4 + 8 * 1 / 5) / 10)
    assert score_of("dsb2018", pair, name="average_f1") == pytest.approx((2 * 4 / 6 + 8 * 2 / 6) / 10)
    assert score_of("dsb2018", HALF) == 0  # a match needs more than 0.5


class TestNeurips22:
    TRUTH = np.zeros((9, 9), int)
    TRUTH[2:4, 2:4] = 3
    TRUTH[0:4, 6] = 90  # reaches the border
    TRUTH[5, 3:7] = 7

    def test_cells_within_two_pixels_of_the_border_are_removed_from_both(self):
        prediction = np.zeros_like(self.TRUTH)
        prediction[2:4, 2] = 1  # an IoU of exactly 0.5, which matches
        prediction[1, 4:6] = 8  # one pixel from the border
        prediction[3, 6] = 4  # its true object was at the border, so it is false
        counts = PROTOCOLS["neurips22"].count(prediction, self.TRUTH)
        assert (counts.true_objects, counts.predicted_objects, counts.objects[0].tp) == (2, 2, 1)
        assert score_of("neurips22", (prediction, self.TRUTH)) == pytest.approx(2 / 4)

    def test_the_first_score_is_the_median(self):
        nothing = np.zeros_like(self.TRUTH)
        images = [(self.TRUTH, self.TRUTH), (self.TRUTH, self.TRUTH), (nothing, self.TRUTH)]
        assert score_of("neurips22", *images) == 1
        assert score_of("neurips22", *images, name="mean_f1") == pytest.approx(2 / 3)

    def test_large_images_are_counted_in_tiles(self, monkeypatch: pytest.MonkeyPatch):
        for name, value in (("_LARGE_PX", 100), ("_TILE_PX", 8)):
            monkeypatch.setattr(f"cellseg_monai.evaluation.preparation.{name}", value)
        labels = np.zeros((12, 12), np.int64)
        labels[3:5, 3:5] = 5  # within the first tile
        labels[3:5, 7:9] = 2**40  # across two tiles: at the border of both
        labels[3:5, 10:12] = 9  # at the border of the image, but not of its tile, which is padded
        labels[10:12, 10:12] = 11  # the same in the corner
        counts = PROTOCOLS["neurips22"].count(labels, labels)
        assert (counts.true_objects, counts.objects[0].tp) == (3, 3)
        counts = PROTOCOLS["neurips22"].count(np.where(labels == 9, 0, labels), labels)
        assert (counts.true_objects, counts.predicted_objects, counts.objects[0].tp) == (3, 2, 2)

    def test_from_25_megapixels_on(self):
        labels = np.zeros((5000, 5000), np.uint16)
        labels[1990:2010, 10:20] = 1  # cut by the border between tiles
        labels[100:120, 4990:5000] = 300  # at the border of the image
        assert PROTOCOLS["neurips22"].count(labels, labels).true_objects == 1
        assert PROTOCOLS["neurips22"].count(labels[:4999], labels[:4999]).true_objects == 1
        assert PROTOCOLS["neurips22"].count(labels[:, :4999], labels[:, :4999]).objects[0].tp == 1


def test_stardist_pools_objects():
    # Three of four objects in one image, none of one and a false one in the other: TP 3, FP 1, FN 2.
    first = ([[1, 0, 2, 0, 3, 0, 0]], [[1, 0, 2, 0, 3, 0, 4]])
    second = ([[5, 0, 0]], [[0, 0, 6]])
    assert score_of("stardist", first, second) == pytest.approx(2 * 3 / (2 * 3 + 1 + 2))
    assert score_of("stardist", first, second, name="accuracy") == pytest.approx(3 / 6)
    assert score_of("stardist", first, second, name="mean_true_score") == pytest.approx(3 / 5)
    assert score_of("stardist", HALF, name="mean_matched_score") == 0.5  # at least 0.5 matches


def test_cellpose_ap():
    first = ([[1, 0, 2, 0, 3, 0, 0]], [[1, 0, 2, 0, 3, 0, 4]])
    assert score_of("cellpose_ap", first, HALF) == pytest.approx((3 / 4 + 1) / 2)
    assert score_of("cellpose_ap", first, HALF, name="ap_0.75") == pytest.approx((3 / 4 + 0) / 2)
    assert score_of("cellpose_ap", ([[1, 2]], [[8, 9]])) == 1  # without background


def test_ctc_seg():
    # 2 of 3 pixels covered: IoU 2 / 3. Half covered: 0. False objects cost nothing.
    assert score_of("ctc_seg", ([[5, 5, 0, 7, 0, 8]], [[1, 1, 1, 2, 2, 0]])) == pytest.approx((2 / 3 + 0) / 2)


def test_coco():
    # Precision 3 / 4, recall 3 / 6, which reaches the levels 0, 0.01, ... 0.50: 51 of 101.
    pair = ([[1, 0, 2, 0, 3, 0, 0, 0, 9, 0, 0]], [[1, 0, 2, 0, 3, 0, 4, 0, 0, 5, 6]])
    for name in ("ap", "ap_0.5", "ap_0.75"):
        assert score_of("coco", pair, name=name) == pytest.approx(3 / 4 * 51 / 101)
    assert score_of("coco", pair, name="ar") == pytest.approx(3 / 6)
    assert score_of("coco", HALF) == pytest.approx(1 / 10)
    assert score_of("coco", ([[0, 0, 1]], [[1, 0, 0]])) == 0


BLANK = np.zeros((9, 9), np.int32)
CELL = BLANK.copy()
CELL[3:6, 3:6] = 40_000
GIANT = np.full((9, 9), 3)
GAPPED = BLANK.copy()
GAPPED[2, 2], GAPPED[2, 6], GAPPED[6, 2], GAPPED[6, 6] = 1, 2, 3, 2**31 - 1


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("prediction", "truth", "expected"),
    [
        (BLANK, BLANK, 1),
        (CELL, BLANK, 0),
        (BLANK, CELL, 0),
        (CELL, CELL, 1),
        (CELL.astype(np.uint16), CELL, 1),
    ],
    ids=["all background", "an empty truth", "an empty prediction", "one cell", "other dtypes"],
)
def test_extremes(name, prediction, truth, expected):
    if name == "caicedo2019" and expected and prediction.any():
        expected = 0  # dilated to 25 pixels over the 9 of the truth
    assert score_of(name, (prediction, truth)) == expected


@pytest.mark.parametrize("name", ALL)
def test_one_giant_cell(name):
    # It touches the border, so the CellSeg challenge removes it from both.
    assert score_of(name, (GIANT, GIANT)) == 1
    assert PROTOCOLS[name].count(GIANT, GIANT).true_objects == (0 if name == "neurips22" else 1)
    expected = 0 if name != "neurips22" else 1
    assert score_of(name, (BLANK, GIANT)) == expected


@pytest.mark.parametrize("name", [name for name in ALL if name != "caicedo2019"])
def test_gapped_ids(name):
    counts = PROTOCOLS[name].count(GAPPED, GAPPED)
    assert (counts.true_objects, counts.predicted_objects) == (4, 4)
    assert {each.tp for each in counts.objects} == {4}


@pytest.mark.parametrize("name", ALL)
def test_more_than_65535_objects(name):
    """260 × 260 cells of 3 × 3 pixels without gaps."""
    cells = np.arange(1, 260**2 + 1, dtype=np.uint32).reshape(260, 260)
    truth = cells.repeat(3, axis=0).repeat(3, axis=1)
    prediction = truth
    if name == "caicedo2019":  # dilated from their centres
        prediction = np.zeros_like(truth)
        prediction[1::3, 1::3] = cells
    counts = PROTOCOLS[name].count(prediction, truth)
    expected = 258**2 if name == "neurips22" else 260**2  # without those at the border
    assert expected > 65_535
    assert (counts.true_objects, counts.predicted_objects, counts.objects[-1].tp) == (expected, expected, expected)
    assert PROTOCOLS[name].results([counts])[PROTOCOLS[name].scores[0].name].value == 1


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("prediction", "truth", "message"),
    [
        (
            np.ones((2, 3), int),
            np.ones((3, 2), int),
            r"prediction of shape \(2, 3\) and a true label image of shape \(3, 2\)",
        ),
        (np.ones((2, 3)), np.ones((2, 3), int), "got a prediction of dtype float64"),
        (np.ones((2, 3), int), np.ones((2, 3), bool), "got a true label image of dtype bool"),
        (np.ones((2, 3), int), np.full((2, 3), -4), "got id -4 in the true label image"),
    ],
    ids=["other shapes", "floats", "a mask", "negative ids"],
)
def test_arrays_that_are_not_label_images_are_refused(name, prediction, truth, message):
    with pytest.raises(ValueError, match=message):
        PROTOCOLS[name].count(prediction, truth)


@pytest.mark.parametrize("name", ALL)
def test_label_images_are_not_modified(name):
    prediction, truth = (labels.copy() for labels in PAIRS["discs"])
    PROTOCOLS[name].count(prediction, truth)
    assert (prediction == PAIRS["discs"][0]).all()
    assert (truth == PAIRS["discs"][1]).all()


@pytest.mark.parametrize("name", ALL)
def test_other_ids_in_the_same_order_change_nothing(name):
    for prediction, truth in PAIRS.values():
        expected = PROTOCOLS[name].count(prediction, truth)
        assert PROTOCOLS[name].count(dense(prediction), dense(truth)) == expected
        assert PROTOCOLS[name].count(prediction.astype(np.uint64) << 40, truth.astype(np.int64) << 31) == expected


@pytest.mark.parametrize("name", ALL)
def test_every_score_has_an_interval_around_it(name):
    protocol = PROTOCOLS[name]
    results = protocol.results([protocol.count(*pair) for pair in PAIRS.values()])
    assert list(results) == [score.name for score in protocol.scores]
    for result in results.values():
        assert 0 <= result.low <= result.value <= result.high <= 1
    assert results[protocol.scores[0].name].low < results[protocol.scores[0].name].high


def test_a_single_image_has_scores_but_no_interval():
    result = PROTOCOLS["stardist"].results([PROTOCOLS["stardist"].count(CELL, CELL)])["f1"]
    assert result.value == 1
    assert np.isnan([result.low, result.high]).all()


def test_another_protocol_is_one_entry():
    protocol = Protocol(
        name="kumar2017",
        measures="aggregated Jaccard index, mean over images",
        source="doi:10.1109/TMI.2017.2677499",
        scores=(Score("aji", attrgetter("score"), "mean", counted=aggregated_jaccard),),
    )
    truth = np.array([[1, 1, 1, 2, 0]])
    images = [protocol.count(np.array([[5, 5, 5, 5, 9]]), truth), protocol.count(truth, truth)]
    assert protocol.results(images)["aji"].value == pytest.approx((4 / 9 + 1) / 2)


def test_a_score_at_another_threshold_is_refused():
    with pytest.raises(ValueError, match=r"mine: got score f1 at an IoU of 0\.3"):
        Protocol(name="mine", measures="", source="", scores=(Score("f1", attrgetter("f1"), "mean", iou=0.3),))


def test_an_unknown_protocol_is_refused_with_the_list():
    with pytest.raises(ValueError, match=r"got protocol 'coca', expected one of cellseg, .*, coco; choose one"):
        find_protocol("coca")


@pytest.mark.parametrize("name", ALL)
def test_every_protocol_is_explained(name):
    page = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    assert f"`{name}`" in page
    assert all(f"`{score.image_name}`" in page for score in PROTOCOLS[name].scores)
    doi = PROTOCOLS[name].source.split("doi:")[1].split()[0].rstrip(",:)")
    assert doi in page


def followed(name: str, prediction: np.ndarray, truth: np.ndarray) -> float:
    """Mean over thresholds of F1 or TP / all of one image, computed object by object as in the papers."""
    thresholds = PROTOCOLS[name].thresholds
    truths = [truth == label for label in np.unique(truth[truth > 0])]
    predictions = [prediction == label for label in np.unique(prediction[prediction > 0])]
    if not truths and not predictions:
        return 1.0
    scores = []
    for threshold in thresholds:
        tp = sum(any((t & p).sum() / (t | p).sum() > threshold for p in predictions) for t in truths)
        missed_or_false = len(truths) + len(predictions) - 2 * tp
        scores.append(tp / (tp + missed_or_false) if name == "dsb2018" else 2 * tp / (2 * tp + missed_or_false))
    return float(np.mean(scores))


@settings(max_examples=150)
@given(st.integers(0, 2**32), st.integers(1, 5), st.sampled_from(["dsb2018", "bbbc039_mean_f1"]))
def test_protocols_follow_the_definitions_object_by_object(seed, largest, name):
    rng = np.random.default_rng(seed)
    # A single row with background between columns, so that every id is one connected component.
    lengths = rng.integers(1, 12, largest)
    truth = np.concatenate([[0] + [3 * number + 1] * length for number, length in enumerate(lengths)])[None]
    prediction = np.where(rng.random(truth.shape) < 0.8, truth + 70, rng.integers(0, 3, truth.shape))
    prediction[truth == 0] = 0
    assert score_of(name, (prediction, truth)) == pytest.approx(followed(name, prediction, truth))
