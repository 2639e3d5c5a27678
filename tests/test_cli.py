import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cellseg_monai import cli, io
from cellseg_monai.evaluation import PROTOCOLS, evaluate_folders, write_results
from tests.quality.planes import plane


def cellseg(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run the command in this process, and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["cellseg", *words])
    try:
        cli.main()
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
            return 1
        return int(stop.code or 0)
    return 0


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    for index in range(6):
        pixels = np.full((8, 8), index, np.uint8)
        pixels[2, 2] = 200
        (tmp_path / "images").mkdir(exist_ok=True)
        np.save(tmp_path / "images" / f"p{index % 2}_{index}.npy", pixels)
        labels = np.zeros((8, 8), np.int32)
        labels[1:4, 1:4] = 1
        io.write_labels(tmp_path / "labels" / f"p{index % 2}_{index}.tif", labels)
    return tmp_path


def test_sample_data_passes_its_own_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert cellseg(monkeypatch, "data", "sample", str(tmp_path / "new")) == 0
    assert cellseg(monkeypatch, "data", "check", str(tmp_path / "new")) == 0
    assert str(tmp_path / "new") in capsys.readouterr().out


def test_check_prints_every_fault_and_fails(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (dataset / "labels" / "p0_0.tif").unlink()
    io.write_labels(dataset / "labels" / "p1_1.tif", np.ones((4, 4), np.int32))
    assert cellseg(monkeypatch, "data", "check", str(dataset)) == 1
    printed = capsys.readouterr().out
    assert "p0_0" in printed
    assert "p1_1" in printed


def test_split_keeps_groups_together(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    words = ("data", "split", str(dataset), "--group_pattern", r"^(p\d)_", "--test", "0")
    assert cellseg(monkeypatch, *words) == 0
    sections = json.loads((dataset / "datalist.json").read_text())
    plates = {name: {Path(item["image"]).name[:2] for item in items} for name, items in sections.items()}
    assert plates["training"] | plates["validation"] == {"p0", "p1"}
    assert not plates["training"] & plates["validation"]
    assert "training" in capsys.readouterr().out


def test_split_does_not_replace_a_datalist_without_overwrite(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (dataset / "datalist.json").write_text("mine")
    assert cellseg(monkeypatch, "data", "split", str(dataset)) == 1
    assert "already exists" in capsys.readouterr().err
    assert (dataset / "datalist.json").read_text() == "mine"
    assert cellseg(monkeypatch, "data", "split", str(dataset), "--overwrite") == 0
    assert "training" in json.loads((dataset / "datalist.json").read_text())


def test_split_keeps_what_an_index_holds_out_and_says_so(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    rows = [f"p{index % 2}_{index};{'test' if index < 2 else 'train'}" for index in range(6)]
    (dataset / "index.csv").write_text("\n".join(["image_id;split", *rows]))
    assert cellseg(monkeypatch, "data", "split", str(dataset)) == 0
    sections = json.loads((dataset / "datalist.json").read_text())
    assert [Path(item["image"]).stem for item in sections["test"]] == ["p0_0", "p1_1"]
    assert "index.csv" in capsys.readouterr().out


def test_split_warns_about_names_that_look_like_sequences(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert cellseg(monkeypatch, "data", "split", str(dataset)) == 0
    assert "ungrouped (warning)" in capsys.readouterr().out


def test_check_accepts_axes_that_files_do_not_state(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (dataset / "images").iterdir():
        np.save(path, np.load(path)[..., None])
    assert cellseg(monkeypatch, "data", "check", str(dataset)) == 1
    assert cellseg(monkeypatch, "data", "check", str(dataset), "--axes", "YXC") == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("data", "check", "nowhere"), "nowhere"),
        (("data", "split", "nowhere"), "nowhere"),
        (("bundle", "check", "./nowhere"), "no configs/*.json"),
        (("bundle", "check", "nowhere"), "no bundle named 'nowhere' ships with this package"),
    ],
    ids=["check", "split", "path of a bundle", "name of a bundle"],
)
def test_a_wrong_folder_is_refused_in_one_line(
    words: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cellseg(monkeypatch, *words) == 1
    printed = capsys.readouterr().err
    error = printed.splitlines()[-1]  # after the line that says what is loading, if there is one
    assert error.startswith("error: ")
    assert message in error
    assert "Traceback" not in printed


def test_an_impossible_share_is_refused_in_one_line(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert cellseg(monkeypatch, "data", "split", str(dataset), "--test", "2") == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_help_and_package_need_no_torch() -> None:
    script = "import cellseg_monai, cellseg_monai.cli, sys; print([m for m in ('torch', 'monai') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_files_pixels_and_labels_need_no_torch() -> None:
    script = (
        "import sys; sys.modules['torch'] = sys.modules['monai'] = None\n"
        "from cellseg_monai import decoding, evaluation, io, pixels, quality, report\n"
        "print(io.read, decoding.label_objects, pixels.prepare, evaluation.evaluate_folders, quality.flags_of)\n"
        "print(report.write_report, report.write_quality_report)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def masks(tmp_path: Path) -> tuple[str, str]:
    """Two true label images and their predictions, one of which misses an object."""
    labels = np.zeros((12, 12), np.int32)
    labels[2:6, 2:6], labels[7:10, 2:9] = 7, 70_000
    for name, predicted in (("a", labels), ("b", np.where(labels == 7, 0, labels))):
        io.write_labels(tmp_path / "truth" / f"{name}.tif", labels)
        io.write_labels(tmp_path / "pred" / f"{name}_cp_masks.tif", predicted)
    return str(tmp_path / "truth"), str(tmp_path / "pred")


def test_evaluate_prints_scores_and_writes_them(
    masks: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    words = ("evaluate", "--truth", masks[0], "--pred", masks[1], "--protocol", "stardist")
    assert cellseg(monkeypatch, *words, "--output", str(tmp_path / "out")) == 0
    printed = capsys.readouterr()
    assert "stardist: 2 image(s), 4 true and 3 predicted objects" in printed.out
    assert "0.8571" in printed.out  # 6 / 7
    assert printed.err == ""
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "stardist_images.csv",
        "stardist_summary.json",
        "stardist_f1.png",
    }


def test_evaluate_names_what_is_missing_evaluates_the_rest_and_fails(
    masks: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (Path(masks[1]) / "b_cp_masks.tif").unlink()
    np.save(Path(masks[1]) / "c.npy", np.zeros((12, 12)))
    words = ("evaluate", "--truth", masks[0], "--pred", masks[1], "--protocol", "coco", "--output", str(tmp_path / "o"))
    assert cellseg(monkeypatch, *words) == 1
    printed = capsys.readouterr()
    assert "coco: 1 image(s), 2 true and 2 predicted objects" in printed.out
    lines = printed.err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("error: ")
    assert "c.npy: no-truth" in lines[0]
    assert "b.tif: no-prediction" in lines[1]
    assert len(json.loads((tmp_path / "o" / "coco_summary.json").read_text())["not_evaluated"]) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"--protocol": "dsb2019"},
            "got protocol 'dsb2019', expected one of cellseg, caicedo2019, bbbc039_mean_f1, dsb2018, ",
        ),
        ({"--protocol": None}, "missing --protocol; `cellseg evaluate` needs --truth, --pred, --protocol"),
        ({"--truth": "nowhere"}, "nowhere: no such folder"),
        ({"--pred": "empty"}, "empty: it contains no label images"),
        ({"--pred-suffix": "_seg"}, "2 file(s), but no name ends with '_seg'"),
        ({"--outptu": "there"}, "`cellseg evaluate` has no flag --outptu; did you mean --output?"),
        (
            {"--threshold": "0.5"},
            "`cellseg evaluate` has no flag --threshold; choose from --truth, ",
        ),
        ({"--output": "taken.txt"}, "--output taken.txt is a file, not a folder"),
        ({"--output": ["my", "results"]}, "got 'results', but `cellseg evaluate` takes no further arguments"),
        ({"--output": []}, "got --output without a value; write --output VALUE"),
    ],
    ids=[
        "protocol",
        "no protocol",
        "no folder",
        "an empty folder",
        "suffix",
        "misspelt flag",
        "unknown flag",
        "a file as output",
        "a space without quotes",
        "no value",
    ],
)
def test_a_wrong_word_to_evaluate_is_refused_in_one_line(
    change: dict[str, str | list[str] | None],
    message: str,
    masks: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("taken.txt").touch()
    flags = {"--truth": masks[0], "--pred": masks[1], "--protocol": "coco", **change}
    words = []
    for flag, value in flags.items():
        if value is not None:
            words += [flag, *([value] if isinstance(value, str) else value)]
    assert cellseg(monkeypatch, "evaluate", *words) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert message in printed.err
    assert printed.err.count("\n") == 1


def test_evaluate_lists_every_protocol_in_its_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert cellseg(monkeypatch, "evaluate", "--help") == 0
    printed = " ".join("".join(capsys.readouterr()).split())
    assert all(name in printed for name in PROTOCOLS)


def test_report_writes_a_page_and_its_numbers(
    masks: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    words = ("report", "--images", masks[0], "--truth", masks[0], "--pred", masks[1], "--overlays", "1")
    words = (*words, "--run", str(tmp_path), "--output", str(tmp_path / "out" / "report.html"))
    # The true label images stand in for the images, and match no pair: only outlines are shown.
    assert cellseg(monkeypatch, *words) == 1
    printed = capsys.readouterr()
    assert "bbbc039_mean_f1: 2 image(s), 4 true and 3 predicted objects" in printed.out
    assert "metrics.csv does not exist" in printed.out
    assert [line.split(": ")[2] for line in printed.err.splitlines()] == ["no-image"] * 2
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"report.html", "report.json"}


def test_report_without_faults_succeeds(
    masks: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "images").mkdir()
    for name in "ab":
        np.save(tmp_path / "images" / f"{name}.npy", np.eye(12, dtype=np.uint8))
    words = ("report", "--images", str(tmp_path / "images"), "--truth", masks[0], "--pred", masks[1])
    assert cellseg(monkeypatch, *words, "--protocol", "coco", "--output", str(tmp_path / "report.html")) == 0
    printed = capsys.readouterr()
    assert str(tmp_path / "report.html") in printed.out
    assert printed.err == ""


def test_report_of_an_evaluated_training_only_needs_its_folder(
    masks: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    run, evaluated = tmp_path / "runs" / "mine", []
    shutil.copytree(masks[1], run / "evaluation" / "labels")
    evaluation = evaluate_folders(masks[0], masks[1], PROTOCOLS["cellseg"])
    for image in evaluation.images:
        path = tmp_path / f"{image.files.name}.npy"
        np.save(path, np.eye(12, dtype=np.uint8))
        evaluated.append(replace(image, files=replace(image.files, image=path)))
    write_results(replace(evaluation, images=evaluated), run / "evaluation")
    page = str(tmp_path / "report.html")
    assert cellseg(monkeypatch, "report", str(run), "--output", page) == 0
    printed = capsys.readouterr()
    assert "cellseg: 2 image(s), 4 true and 3 predicted objects" in printed.out
    assert page in printed.out
    assert cellseg(monkeypatch, "report", "--run", str(run), "--protocol", "coco", "--output", page) == 0
    assert "coco: 2 image(s)" in capsys.readouterr().out
    assert cellseg(monkeypatch, "report", str(run.parent), "--output", page) == 1
    assert "no subfolder named evaluation; first evaluate the run" in capsys.readouterr().err


def test_a_mask_in_place_of_objects_is_reported(
    masks: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    predicted = Path(masks[1]) / "a_cp_masks.tif"
    io.write_labels(predicted, (io.read_labels(predicted) > 0).astype(np.int32))
    words = ("--truth", masks[0], "--pred", masks[1])
    assert cellseg(monkeypatch, "evaluate", *words, "--protocol", "stardist") == 0
    assert "a_cp_masks.tif: binary-mask (warning)" in capsys.readouterr().err
    (tmp_path / "images").mkdir()
    for name in "ab":
        np.save(tmp_path / "images" / f"{name}.npy", np.eye(12, dtype=np.uint8))
    words = (*words, "--images", str(tmp_path / "images"), "--output", str(tmp_path / "report.html"))
    assert cellseg(monkeypatch, "report", *words) == 0
    assert "a_cp_masks.tif: binary-mask (warning)" in capsys.readouterr().err
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Doubtful label images" in page
    assert "separate objects all have the id 1" in page


def test_an_interrupted_command_prints_stopped(
    masks: tuple[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cellseg_monai.evaluation.evaluate_folders", interrupt)
    words = ("evaluate", "--truth", masks[0], "--pred", masks[1], "--protocol", "stardist")
    assert cellseg(monkeypatch, *words) == 130
    assert capsys.readouterr().err == "stopped\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--output": "report"}, "got output 'report', expected an HTML file"),
        ({"--overlays": "some"}, "got --overlays some, expected a whole number"),
        ({"--images": "nowhere"}, "nowhere: no such folder"),
        ({"--images": None}, "missing --images; `cellseg report` needs --images, --truth and --pred, or the"),
        ({"--output": None}, "missing --output; `cellseg report` needs --output"),
    ],
    ids=["output", "overlays", "no folder", "no images", "no output"],
)
def test_a_wrong_word_to_report_is_refused_in_one_line(
    change: dict[str, str | None],
    message: str,
    masks: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "cellseg_monai.evaluation.evaluate_folders", lambda *_, **__: pytest.fail("work before a check")
    )
    flags = {"--images": masks[0], "--truth": masks[0], "--pred": masks[1], "--output": "report.html", **change}
    words = [word for flag, value in flags.items() if value is not None for word in (flag, value)]
    assert cellseg(monkeypatch, "report", *words) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ")
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert not Path("report.html").exists()


def test_a_misspelt_flag_is_refused_before_anything_is_done(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert cellseg(monkeypatch, "data", "split", str(dataset), "--sed", "3") == 1
    assert "`cellseg data split` has no flag --sed; did you mean --seed?" in capsys.readouterr().err
    assert not (dataset / "datalist.json").exists()
    assert cellseg(monkeypatch, "data", "split", str(dataset), "--nooverwrite", "--group-pattern=^(p.)") == 0


def test_calibrate_fits_settings_to_a_few_annotated_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        labels = np.zeros((64, 64), np.int32)
        labels[10:30, 10:30], labels[10:30, 30:50] = 1, 2
        (tmp_path / "mine" / "images").mkdir(exist_ok=True, parents=True)
        np.save(tmp_path / "mine" / "images" / f"{name}.npy", rng.normal(100 + 1000 * (labels > 0), 20).astype("u2"))
        io.write_labels(tmp_path / "mine" / "labels" / f"{name}.tif", labels)
    words = ("calibrate", str(tmp_path / "mine"), "--output", str(tmp_path / "out"), "--bundle")
    assert cellseg(monkeypatch, *words, "nuclei") == 0
    settings = json.loads((tmp_path / "out" / "postprocess.json").read_text())
    assert settings["method"] == "boundary_watershed"
    report = json.loads((tmp_path / "out" / "calibration" / "calibration.json").read_text())
    assert (report["images"], report["section"], report["settings"]) == (3, "all", settings)
    assert f"--postprocess_file {tmp_path / 'out' / 'postprocess.json'}" in capsys.readouterr().out
    words = ("calibrate", str(tmp_path / "mine"), "--output", str(tmp_path / "none"), "--bundle")
    assert cellseg(monkeypatch, *words, "nuclear") == 1
    assert not (tmp_path / "none").exists()
    assert "no bundle named 'nuclear'" in capsys.readouterr().err
    (tmp_path / "mine" / "labels" / "b.tif").unlink()
    assert cellseg(monkeypatch, *words, "nuclei") == 1
    assert "1 of 3 images for calibration have no label: images/b.npy" in capsys.readouterr().err
    assert cellseg(monkeypatch, *words, "nuclei", "--section", "test") == 1
    assert "cannot be used to choose settings" in capsys.readouterr().err


def test_show_prints_a_table_and_writes_a_page(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert cellseg(monkeypatch, "data", "show", str(dataset), "--output", str(dataset / "show.html")) == 0
    assert "objects per image" in capsys.readouterr().out
    assert (dataset / "show.html").is_file()
    assert cellseg(monkeypatch, "data", "show", str(dataset), "--output", "show.pdf") == 1
    assert "choose a name that ends in .html or .png" in capsys.readouterr().err
    (dataset / "images" / "p0_0.npy").write_bytes(b"nothing")
    assert cellseg(monkeypatch, "data", "show", str(dataset)) == 1
    assert "p0_0.npy" in capsys.readouterr().err


@pytest.fixture
def nuclei(tmp_path: Path) -> Path:
    """Write an image of bright discs, and the same image out of focus, to a folder."""
    (tmp_path / "nuclei").mkdir()
    for name, blur in (("sharp", 1.0), ("blurred", 5.0)):
        np.save(tmp_path / "nuclei" / f"{name}.npy", plane(blur=blur)[0][0])
    return tmp_path / "nuclei"


def test_segment_writes_a_report_and_quality_updates_it(
    nuclei: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "out"
    words = ("segment", str(nuclei), "--output", str(out), "--device", "cpu", "--report")
    assert cellseg(monkeypatch, *words) == 0
    assert f"image(s) flagged: {out / 'report.html'}" in capsys.readouterr().out
    rows = {row["image"]: row for row in json.loads((out / "report.json").read_text())["images"]}
    assert "out of focus" in rows["blurred"]["flags"]
    assert "out of focus" not in rows["sharp"]["flags"]
    first = (out / "report.html").read_bytes()
    assert cellseg(monkeypatch, "quality", str(out / "run.json"), "--output", str(out / "again.html")) == 0
    assert (out / "again.html").read_bytes() == first
    (nuclei / "sharp.npy").unlink()
    assert cellseg(monkeypatch, "quality", str(out / "run.json")) == 1
    assert "sharp: not-shown" in capsys.readouterr().err
    assert cellseg(monkeypatch, "quality", str(out / "run.json"), "--bundle", "nowhere") == 1
    assert "no bundle named 'nowhere'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("segment", "--report", "--export", "geojson"),
            "got --export geojson with --report, which needs label images and tables",
        ),
        (("segment", "--report", "--export", "labels"), "add labels and csv"),
        (("segment", "--reprot"), "did you mean --report?"),
        (("quality", "--overlay", "3"), "did you mean --overlays?"),
        (("quality", "--overlays", "some"), "--overlays"),
        (("quality",), "was not written by `cellseg segment`"),
    ],
    ids=["no labels", "no table", "misspelt", "misspelt too", "not a number", "no run"],
)
def test_a_wrong_word_for_the_page_of_a_run_is_refused_before_anything_is_done(
    words: tuple[str, ...],
    message: str,
    nuclei: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    (tmp_path / "run.json").write_text("{}")
    more = (str(nuclei), "--output", str(tmp_path / "out")) if words[0] == "segment" else (str(tmp_path / "run.json"),)
    assert cellseg(monkeypatch, words[0], *more, *words[1:]) == 1
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "out").exists()
