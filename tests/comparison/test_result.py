import json
import math
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from cellseg_monai.comparison.child import Usage
from cellseg_monai.comparison.result import Result, collect_result
from cellseg_monai.comparison.runs import Run
from cellseg_monai.errors import BundleError
from tests.comparison import fabricated

USAGE = {"training": Usage(60, 2000.0), "calibrating": Usage(1, 3000.0), "evaluating": Usage(1, None)}


def masks(*pairs: tuple[list[int], list[int]]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    return {
        f"/data/{index}.npy": (np.array([found], bool), np.array([truth], bool))
        for index, (found, truth) in enumerate(pairs)
    }


def test_a_result_is_collected_from_what_the_steps_wrote(tmp_path: Path) -> None:
    # Dice 1 and 2 * 1 / (2 * 1 + 2) = 0.5; pooled 2 * 3 / (2 * 3 + 2).
    folder = fabricated.write_run(tmp_path, masks(([1, 1, 0, 0], [1, 1, 0, 0]), ([1, 0, 1, 0], [0, 0, 1, 1])))
    result = collect_result(Run(Path("/bundles/unet"), ("plain",)), folder, USAGE)
    assert (result.run, result.bundle, result.variants) == ("unet+plain", "unet", ("plain",))
    dice = result.scores["dice"]
    assert (dice.mean, dice.mean_low, dice.mean_high) == (0.75, 0.5, 1.0)
    assert (dice.pooled, dice.pooled_low, dice.pooled_high) == (0.75, 0.5, 1.0)
    assert result.scores["accuracy"].mean == 0.75
    assert result.image_dice == {"/data/0.npy": 1.0, "/data/1.npy": 0.5}
    assert result.threshold == 0.4
    assert (result.epochs, result.best_epoch) == (3, 3)
    # Epochs of 1, 2 and 3 images/s and of 10, 20 and 30 seconds.
    assert result.training_images_per_second == 2.5
    assert result.training_minutes == 1.0
    assert (result.training_memory_mb, result.inference_memory_mb) == (2000.0, None)
    assert result.inference_megapixels_per_second == 1.5
    assert result.parameters > 100
    assert result.gflops > 0


def test_the_speed_is_that_of_the_first_epoch_if_there_is_no_other(tmp_path: Path) -> None:
    folder = fabricated.write_run(tmp_path, masks(([1], [1]), ([1], [1])), epochs=1)
    assert collect_result(Run(Path("unet")), folder, USAGE).training_images_per_second == 1.0


def test_a_result_survives_a_round_trip_through_json(tmp_path: Path) -> None:
    result = fabricated.result("unet+two_classes")
    assert Result.from_json(json.loads(json.dumps(result.as_json()))) == result


def test_an_unknown_interval_is_null_in_json(tmp_path: Path) -> None:
    folder = fabricated.write_run(tmp_path, masks(([1, 0], [1, 0])))
    result = collect_result(Run(Path("unet")), folder, USAGE)
    written = json.dumps(result.as_json(), allow_nan=False)
    assert json.loads(written)["scores"]["dice"]["mean_low"] is None
    assert math.isnan(Result.from_json(json.loads(written)).scores["dice"].pooled_high)


@pytest.mark.parametrize("value", [None, True, "x", -1, [], {}, [None], {"a": "b"}], ids=repr)
def test_values_of_another_type_are_refused_or_restored(value: object) -> None:
    whole = fabricated.result("unet").as_json()
    for name in whole:
        with suppress(BundleError):
            assert Result.from_json({**whole, name: value}).as_json()[name] == value
    with pytest.raises(BundleError, match=r"a result\.json is damaged"):
        Result.from_json({**whole, "scores": {"dice": value}})
