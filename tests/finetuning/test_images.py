import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellseg_monai.data import Item, nested_subset, write_datalist
from cellseg_monai.finetuning.curve import default_sizes
from cellseg_monai.finetuning.images import divide, find_images, find_pool
from cellseg_monai.finetuning.schedule import schedule


def items(groups: list[str]) -> list[Item]:
    return [{"image": f"{number}.tif", "label": f"{number}.tif", "group": group} for number, group in enumerate(groups)]


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=30), st.integers(0, 9))
def test_validation_takes_whole_groups_and_leaves_some_to_train_on(groups: list[str], seed: int) -> None:
    divided = divide(items(groups), seed=seed)
    training, validation = ({item["group"] for item in part} for part in (divided.training, divided.validation))
    assert training
    assert not training & validation
    assert len(divided.annotated) == len(groups)
    assert bool(validation) == (len(groups) >= 6 and len(set(groups)) >= 2)


@given(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=30), st.data())
def test_a_larger_selection_contains_a_smaller_one(groups: list[str], data: st.DataObject) -> None:
    sizes = sorted(data.draw(st.lists(st.integers(1, len(groups)), min_size=2, max_size=2)))
    smaller, larger = ({item["image"] for item in nested_subset(items(groups), size, seed=0)} for size in sizes)
    assert smaller <= larger
    assert (len(smaller), len(larger)) == tuple(sizes)


def test_images_for_testing_are_never_trained_on(annotated: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(annotated, tmp_path / "listed"))
    pairs = [{"image": f"images/{n:02}.npy", "label": f"labels/{n:02}.tif", "group": str(n)} for n in range(13)]
    write_datalist(folder / "datalist.json", {"training": pairs[:7], "validation": pairs[7:9], "test": pairs[9:]})
    found = find_images(folder, None, seed=0)
    assert [Path(item["image"]).stem for item in found.validation] == ["07", "08"]
    assert len(found.training) == 7
    pool, held_out = find_pool(folder, None, seed=0)
    assert [Path(item["image"]).stem for item in held_out] == ["09", "10", "11", "12"]
    assert len(pool) == 9


def test_without_a_list_a_part_is_held_out_for_a_learning_curve(annotated: Path) -> None:
    pool, held_out = find_pool(annotated, None, seed=0)
    assert (len(pool), len(held_out)) == (9, 4)
    assert not {item["image"] for item in pool} & {item["image"] for item in held_out}


@pytest.mark.parametrize(
    ("pool", "sizes"), [(2, [2]), (5, [5]), (11, [5, 10]), (12, [5, 10, 12]), (45, [5, 10, 20, 40])]
)
def test_sizes_double_up_to_all_images(pool: int, sizes: list[int]) -> None:
    assert default_sizes(pool) == sizes


@pytest.mark.parametrize(
    ("images", "validated", "epochs", "expected"),
    [
        (3, False, None, {"epochs": 10, "steps_per_epoch": 10, "val_interval": 10, "early_stop": 0}),
        (40, True, None, {"epochs": 20, "steps_per_epoch": 20, "frozen_epochs": 4, "val_interval": 1, "early_stop": 7}),
        (900, True, 200, {"steps_per_epoch": 25, "frozen_epochs": 40, "val_interval": 10, "early_stop": 67}),
    ],
    ids=["three images", "forty images", "many images and epochs"],
)
def test_the_schedule_follows_from_the_number_of_images(
    images: int, validated: bool, epochs: int | None, expected: dict
) -> None:
    train = {"batch_size": 8, "crops_per_image": 4, "learning_rate": 0.002}
    chosen = schedule(train, images=images, validated=validated, epochs=epochs)
    assert {name: chosen[name] for name in expected} == expected
