import json
from pathlib import Path

import pytest

from cellseg_monai.comparison.request import Request, make_request
from cellseg_monai.errors import DatasetError
from tests.comparison import fabricated
from tests.contracts.bundle import write_tiny_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_dataset(tmp_path_factory.mktemp("data"))


def ask(dataset: Path, **changes: object) -> Request:
    values: dict = {"epochs": 2, "minutes": None, "seed": 0, "datalist": None, "knobs": {}}
    return make_request(dataset, **{**values, **changes})


def test_a_request_survives_a_round_trip_through_json(dataset: Path) -> None:
    request = ask(dataset, knobs={"roi_size": (64, 64), "amp": False})
    assert request.images == {"training": 8, "validation": 3, "test": 2}
    assert request.differences(json.loads(json.dumps(request.as_json()))) == []


def test_differences_are_described(dataset: Path) -> None:
    earlier = ask(dataset, epochs=3, knobs={"batch_size": 4}).as_json()
    assert ask(dataset, knobs={"batch_size": 8}).differences(earlier) == [
        "epochs was 3, now 2",
        "knobs was {'batch_size': 4}, now {'batch_size': 8}",
    ]


def test_another_split_of_the_same_images_is_another_request(dataset: Path, tmp_path: Path) -> None:
    sections = json.loads((dataset / "datalist.json").read_text())
    for items in sections.values():
        for item in items:
            item |= {key: str(dataset / item[key]) for key in ("image", "label")}
    datalist = tmp_path / "list.json"
    datalist.write_text(json.dumps(sections))
    earlier = ask(dataset, datalist=datalist).as_json()
    sections["test"][0], sections["training"][0] = sections["training"][0], sections["test"][0]
    datalist.write_text(json.dumps(sections))
    assert ask(dataset, datalist=datalist).differences(earlier) == [
        "its images were assigned differently to training, validation and test"
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": None}, "expected exactly one"),
        ({"minutes": 3}, "expected exactly one"),
        ({"epochs": 0}, "expected a whole number of at least 1"),
        ({"epochs": 1.5}, "expected a whole number of at least 1"),
        ({"epochs": None, "minutes": 0}, "expected a number above 0"),
        ({"epochs": None, "minutes": "ten"}, "expected a number above 0"),
    ],
    ids=["neither", "both", "no epochs", "half an epoch", "no minutes", "words"],
)
def test_an_invalid_budget_is_refused(dataset: Path, changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ask(dataset, **changes)


def test_a_folder_without_a_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no data set found"):
        ask(tmp_path)


def test_budgets_in_words() -> None:
    assert fabricated.request(epochs=1).budget == "1 epoch of training"
    assert fabricated.request(epochs=None, minutes=2.5).budget == "the epochs that fit into 2.5 minutes of training"
