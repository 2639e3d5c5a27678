"""Names that suggest which images belong together, and names that do not."""

from __future__ import annotations

import hashlib
import re

import pytest

from cellseg_monai.data import check_dataset, split_dataset
from cellseg_monai.data.families import ungrouped

WELLS = [
    f"IXMtest_{row}{column:02d}_s{site}_w1B9577918-{column}" for row in "FP" for column in (1, 2) for site in (1, 4)
]


def fitting(stems: list[str]) -> set[str]:
    """The groups from the pattern in the warning."""
    fault = ungrouped(stems)
    assert fault is not None
    assert fault.severity == "warning"
    pattern = re.search(r"--group_pattern '(.*?)'", fault.message).group(1)
    return {re.search(pattern, stem).group(1) for stem in stems}


@pytest.mark.parametrize(
    ("stems", "groups"),
    [
        pytest.param(WELLS, {"IXMtest_F01", "IXMtest_F02", "IXMtest_P01", "IXMtest_P02"}, id="wells with sites"),
        pytest.param([f"cell{c}_t{t:03d}" for c in "ab" for t in range(9)], {"cella", "cellb"}, id="time lapses"),
        pytest.param(
            [f"p{p}_T{t}" for p in (1, 2) for t in range(9)] + ["single"], {"p1", "p2", "single"}, id="one alone"
        ),
        pytest.param(
            [f"exp_p{p}_t{t}" for p in (1, 2) for t in range(5)], {"exp_p1", "exp_p2"}, id="positions and times"
        ),
        pytest.param(
            [f"{o}_20x_{n}" for o in ("bone", "heart") for n in range(4)], {"bone_20x", "heart_20x"}, id="numbers"
        ),
    ],
)
def test_families_are_reported_with_a_pattern_that_fits(stems, groups):
    assert fitting(stems) == groups


@pytest.mark.parametrize(
    "stems",
    [
        pytest.param([f"{n:02d}" for n in range(38)], id="plain numbers"),
        pytest.param([f"{n}" for n in range(38)], id="numbers without zeros"),
        pytest.param([f"img_{n:03d}" for n in range(150)], id="one name and a number"),
        pytest.param([f"movie_t{n:03d}" for n in range(50)], id="one movie, which nothing can part"),
        pytest.param([hashlib.sha256(bytes([n])).hexdigest() for n in range(200)], id="hashes"),
        pytest.param([f"plate{n:02d}_s1" for n in range(20)], id="one site of each"),
        pytest.param(list("abcdefgh"), id="letters"),
        pytest.param(["a", "b1", "b2"], id="two that look alike"),
        pytest.param([], id="nothing"),
    ],
)
def test_other_names_give_no_warning(stems):
    assert ungrouped(stems) is None


def test_the_check_warns_until_there_is_a_list(make_dataset):
    folder = make_dataset(WELLS)
    (fault,) = check_dataset(folder)
    assert (fault.place, fault.kind, fault.severity) == ("images", "ungrouped", "warning")
    pattern = re.search(r"--group_pattern '(.*?)'", fault.message).group(1)
    assert {item["group"] for items in split_dataset(folder, group_pattern=pattern).values() for item in items} == {
        "IXMtest_F01",
        "IXMtest_F02",
        "IXMtest_P01",
        "IXMtest_P02",
    }
    (folder / "index.csv").write_text("image_id,split\n" + "".join(f"{stem},train\n" for stem in WELLS))
    assert check_dataset(folder) == []
