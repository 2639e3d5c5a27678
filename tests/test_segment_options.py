"""The options of segmenting: types, limits, run.json, and the functions that take them."""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest

import cellseg_monai
from cellseg_monai.bundle import load_pipeline
from cellseg_monai.cli import segment
from cellseg_monai.segment_options import PIPELINE_OPTIONS, READING_OPTIONS, SegmentOptions, takes_options

NAMES = list(SegmentOptions().to_json())


def test_options_in_json_are_read_back_equal():
    paths = {"bundle": "nuclei", "checkpoint": Path("a.pt")}
    options = SegmentOptions(channels=["DAPI", 1], pixel_size=(0.5, 0.25), tile=128, amp=False, **paths)
    assert SegmentOptions.from_json(json.loads(json.dumps(options.to_json())), source="run.json") == options
    assert SegmentOptions.from_json({"diameter": 48}, source="run.json") == SegmentOptions(diameter=48.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tlie": 3}, "run.json: .*'tlie'; did you mean 'tile'"),
        ({"tile": "128"}, "run.json: got tile='128', expected int . None"),
        ({"tta": 1}, "got tta=1, expected bool"),
        ({"tile": True}, "got tile=True, expected int"),
        ({"bundle": None}, "got bundle=None, expected str"),
        ({"bundle": ""}, "got bundle='', expected a path or name"),
        ({"checkpoint": " "}, "got checkpoint=' ', expected a path or name"),
        ({"axes": ""}, "got axes='', expected a path or name"),
        ({"channels": [["DAPI"]]}, "got channels="),
        ({"pixel_size": [0.5, 0.5, 1]}, "got pixel_size="),
        ({"pixel_size": [0.5, 0]}, "expected a finite number above 0"),
        ({"polarity": "inverted"}, "got polarity='inverted', expected auto, bright, dark"),
        ({"max_memory": "much"}, "got 'much' as an amount of memory"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_unknown_mistyped_and_impossible_values_are_refused_by_name(values, message):
    with pytest.raises(ValueError, match=message):
        SegmentOptions.from_json(values, source="run.json")


@pytest.mark.parametrize("diameter", [0, -1, float("nan"), float("inf")])
def test_an_impossible_diameter_is_refused(diameter):
    with pytest.raises(ValueError, match=r"got diameter=.*, expected a finite number above 0"):
        SegmentOptions(diameter=diameter)


def test_numpy_numbers_are_accepted():
    options = SegmentOptions(tile=np.int64(128), diameter=np.float32(30))
    assert (options.tile, options.diameter) == (128, 30.0)
    assert {type(options.tile), type(options.diameter)} == {int, float}


def test_a_pixel_size_can_be_one_length_or_height_and_width():
    """The lengths are in micrometres."""
    assert SegmentOptions().pixel_size_um is None
    assert SegmentOptions(pixel_size=0.5).pixel_size_um == (0.5, 0.5)
    assert SegmentOptions(pixel_size=(0.5, 1)).pixel_size_um == (0.5, 1.0)


def test_paths_become_absolute_and_the_name_of_a_bundle_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = SegmentOptions(bundle="mine", checkpoint="a.pt").with_absolute_paths()
    assert (options.bundle, options.checkpoint, options.postprocess) == ("mine", str(tmp_path / "a.pt"), None)
    (tmp_path / "mine" / "configs").mkdir(parents=True)
    (tmp_path / "mine" / "configs" / "metadata.json").touch()
    assert options.with_absolute_paths().bundle == "mine", "a name never means a folder here"
    assert SegmentOptions(bundle="./mine").with_absolute_paths().bundle == str(tmp_path / "mine")


@pytest.mark.parametrize(
    ("function", "names"),
    [
        (segment, NAMES),
        (cellseg_monai.segment, [*READING_OPTIONS, *PIPELINE_OPTIONS, "bundle"]),
        (load_pipeline, [*PIPELINE_OPTIONS, "bundle"]),
    ],
    ids=["command", "segment", "load_pipeline"],
)
def test_functions_have_the_options_with_default_and_documentation(function, names):
    parameters = inspect.signature(function).parameters
    assert parameters.keys() & set(NAMES) == set(names)
    for name in names:
        assert parameters[name].default == getattr(SegmentOptions(), name)
        assert f"\n    {name}: " in inspect.getdoc(function)


def test_the_bundle_and_every_option_of_a_group_is_a_field():
    assert {*PIPELINE_OPTIONS, *READING_OPTIONS} == set(NAMES) - {"bundle", "export", "max_memory"}


def test_a_function_refuses_other_keywords_and_needs_a_place_for_the_documentation():
    @takes_options("tile")
    def cut(**options):
        """Cut an image.

        Args:
            options: fields of `SegmentOptions`.
        """
        return options

    assert cut(tile=3) == {"tile": 3}
    with pytest.raises(TypeError, match=r"cut\(\) got an unexpected keyword argument 'tta'"):
        cut(tta=True)
    with pytest.raises(ValueError, match="no line"):
        takes_options("tile")(test_a_pixel_size_can_be_one_length_or_height_and_width)


@pytest.mark.parametrize("name", ["diameter", "tile", "overlap", "pixel_size"])
def test_a_number_without_bounds_is_refused(name):
    with pytest.raises(ValueError, match=f"got {name}=1000"):
        SegmentOptions(**{name: 10**400})
