"""Records of runs that somebody else may have written."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from cellseg_monai.inference import Done, ImageFile, RunRecord, images_of, read_run
from cellseg_monai.inference.run_record import results_in

ABOUT = {"exports": ["labels", "csv", "overlay"], "bundle": {"name": "nuclei"}, "axes": None}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A finished run of one image in a subfolder."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.npy").write_text("a")
    output = tmp_path / "out"
    image = ImageFile(tmp_path / "images" / "a.npy", Path("sub"))
    record = RunRecord(output, ABOUT, {"arguments": {"inputs": ["a.npy"]}})
    record.begin([image])
    files = [output / "sub" / name for name in ("a.tif", "a.csv", "a_Z003_overlay.png")]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.touch()
    record.add(Done(image, image.sha256, "ZCYX", (4, 1, 2, 3), 4, tuple(files), 0.5))
    record.finish()
    return output


def changed(output: Path, **entry: Any) -> Path:
    """Change entries of the first image, or of the record where there is one of this name."""
    path = output / "run.json"
    run = json.loads(path.read_text())
    for name, value in entry.items():
        (run if name in ("about", "arguments", "failures", "left", "images") else run["images"][0])[name] = value
    path.write_text(json.dumps(run))
    return path


def test_a_record_that_the_run_wrote_is_accepted(output: Path) -> None:
    assert len(images_of(read_run(output / "run.json"))) == 1
    assert output / "sub" / "a_Z003_overlay.png" in results_in(output)


OUTSIDE = [
    "../a",
    "../../x/a",
    "sub/../../a",
    "/tmp/a",
    "//host/share/a",
    "..\\a",
    "sub\\..\\..\\a",
    "\\\\host\\share\\a",
    "C:/a",
    "C:\\a",
    "./a",
    "sub//a",
    "",
    ".",
    "..",
    "a\0",
    "link/a",
    "link/deep/a",
    None,
    7,
    ["a"],
]


@pytest.mark.parametrize("key", OUTSIDE, ids=repr)
def test_a_key_outside_the_output_is_refused(output: Path, tmp_path: Path, key: Any) -> None:
    (tmp_path / "elsewhere").mkdir()
    (output / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="was not written by `cellseg segment`"):
        read_run(changed(output, key=key, files=[f"{key}.csv"]))
    changed(output, key="sub/a", files=[])
    with pytest.raises(ValueError, match="was not written by `cellseg segment`"):
        read_run(changed(output, left={key: []} if isinstance(key, str) else [key]))


@pytest.mark.parametrize(
    "name",
    [
        "mine.txt",
        "sub/b.csv",
        "sub/a.txt",
        "sub/a",
        "sub/a/../a.csv",
        "sub/a/x.csv",
        "../a.csv",
        "a.csv",
        "/tmp/a.csv",
        "sub/ab.csv",
        "sub/a_Z000.tif",
        "sub/a_Z0_overlay.png",
        "sub/a_C000_overlay.png",
        "sub/a.parquet",
        "sub/a.csv/",
        "sub/a.csv\n",
        "run.json",
    ],
    ids=repr,
)
def test_only_names_that_the_run_gives_are_its_results(output: Path, name: Any) -> None:
    for entry in ({"files": {"sub/a.csv": "", name: ""}}, {"left": {"sub/a": {name: ""}}}):
        before = (output / "run.json").read_text()
        with pytest.raises(ValueError, match="which has no result of this name"):
            read_run(changed(output, **entry))
        with pytest.raises(ValueError, match="which has no result of this name"):
            RunRecord(output, ABOUT, resume=True)
        (output / "run.json").write_text(before)


def refusal(output: Path) -> str:
    """Return the message with which a record is refused, or "" if it is accepted."""
    try:
        images_of(read_run(output / "run.json"))
        results_in(output)
        RunRecord(output, ABOUT, resume=True)
    except ValueError as error:
        return str(error)
    return ""


WRONG = [None, True, -1, 1.5, float("nan"), 10**400, "text", "\0", [], [[]], {}, {"a": 1}, [None], "x" * 500]


@pytest.mark.parametrize("value", WRONG, ids=lambda value: repr(value)[:20])
def test_values_of_another_type_are_refused_or_do_no_harm(output: Path, value: Any) -> None:
    whole = json.loads((output / "run.json").read_text())
    places = [("run", name) for name in whole] + [("image", name) for name in whole["images"][0]]
    places += [("about", name) for name in (*ABOUT, "preprocess", "device", "pixel_size_um")]
    for part, name in places:
        run = copy.deepcopy(whole)
        {"run": run, "image": run["images"][0], "about": run["about"]}[part][name] = value
        (output / "run.json").write_text(json.dumps(run))
        assert len(refusal(output)) < 2_000


@pytest.mark.parametrize("value", WRONG, ids=lambda value: repr(value)[:20])
def test_a_journal_is_checked_in_the_same_way(output: Path, value: Any) -> None:
    first = {"about": ABOUT, "begun": ["sub/a"], "left": {}}
    entry = json.loads((output / "run.json").read_text())["images"][0]
    for name in (*first, *entry):
        lines = [{**first, name: value} if name in first else first, {**entry, name: value} if name in entry else entry]
        (output / "run.journal.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        message = refusal(output)
        assert message == "" or "different settings" in message or "is damaged" in message


@pytest.mark.parametrize("depth", [100, 900, 100_000])
@pytest.mark.parametrize("name", ["run.json", "run.journal.jsonl"])
def test_json_that_is_nested_too_deep_is_refused(output: Path, depth: int, name: str) -> None:
    text = json.dumps({"about": 0, "images": [], "arguments": {}, "begun": [], "left": {}})
    (output / name).write_text(text.replace("0", "[" * depth + "]" * depth, 1))
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        RunRecord(output, ABOUT, resume=True)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"key": "sub/b", "files": {}}, "have the key 'sub/b', expected one that ends with 'a'"),
        ({"shape": [10**9, 1, 2, 3]}, "expected a length for each of T, P, Z, C, Y and X"),
        ({"shape": [4, 1, 2]}, "expected a length for each"),
        ({"axes": "ZZCYX"}, "expected a length for each"),
        ({"path": "a\0.npy"}, "an image has the path"),
        ({"files": ["sub/a.csv"]}, "expected an object"),
        ({"files": {"sub/a.csv": 3}}, "the SHA-256 of 'sub/a.csv' is 3, expected text"),
    ],
)
def test_entries_that_contradict_each_other_are_refused(output: Path, entry: dict, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_run(changed(output, **entry))


def test_an_image_that_occurs_twice_is_refused(output: Path) -> None:
    images = json.loads((output / "run.json").read_text())["images"]
    with pytest.raises(ValueError, match="an image occurs twice"):
        read_run(changed(output, images=images * 2))


@pytest.mark.parametrize("path", ["/dev/zero", "/dev", "/"])
def test_only_files_and_zarr_folders_are_images(output: Path, path: str) -> None:
    run = read_run(output / "run.json")
    run["images"][0]["path"] = path
    with pytest.raises(ValueError, match="is not an image file"):
        images_of(run)
