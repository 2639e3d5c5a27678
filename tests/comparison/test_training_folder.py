import json
import sys
from pathlib import Path

import pytest

from cellseg_monai.comparison.child import ChildError
from cellseg_monai.comparison.request import Request
from cellseg_monai.comparison.steps import Step
from cellseg_monai.comparison.training_folder import TrainingFolder
from cellseg_monai.errors import BundleError
from tests.comparison import fabricated


def notes(path: Path, name: str, code: int = 0) -> Step:
    """A step that appends its name to a file, and exits with a code."""
    script = f"import sys; open({str(path)!r}, 'a').write({name + ' '!r}); sys.exit({code})"
    return Step(name, (sys.executable, "-c", script))


def run(folder: TrainingFolder, *steps: Step) -> list[str]:
    announced: list[str] = []
    folder.run(steps, announce=lambda step: announced.append(step.name), tick=lambda: None)
    return announced


def test_completed_steps_are_not_repeated(tmp_path: Path) -> None:
    done = tmp_path / "done.txt"
    folder = TrainingFolder(tmp_path / "unet", fabricated.request())
    with pytest.raises(ChildError):
        run(folder, notes(done, "training"), notes(done, "calibrating", code=1), notes(done, "evaluating"))
    assert done.read_text().split() == ["training", "calibrating"]
    again = TrainingFolder(tmp_path / "unet", fabricated.request())
    assert again.refusal() is None
    announced = run(again, notes(done, "training"), notes(done, "calibrating"), notes(done, "evaluating"))
    assert announced == ["training", "calibrating", "evaluating"]
    assert done.read_text().split() == ["training", "calibrating", "calibrating", "evaluating"]
    assert set(again.usage()) == {"training", "calibrating", "evaluating"}


def test_an_unfinished_folder_knows_its_request(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path / "unet", fabricated.request())
    with pytest.raises(ChildError):
        run(folder, notes(tmp_path / "done.txt", "training", code=1))
    refusal = TrainingFolder(tmp_path / "unet", fabricated.request(seed=1)).refusal()
    assert refusal is not None
    assert "seed was 0, now 1" in refusal
    assert "another --output" in refusal


def test_a_result_is_kept_with_its_request(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path / "unet", fabricated.request())
    assert folder.result() is None
    folder.keep_result({"dice": 0.5})
    assert TrainingFolder(tmp_path / "unet", fabricated.request()).result() == {"dice": 0.5}
    kept = json.loads((tmp_path / "unet" / "result.json").read_text())
    assert kept["request"] == json.loads(json.dumps(fabricated.request().as_json()))
    assert "epochs was 5, now 6" in str(TrainingFolder(tmp_path / "unet", fabricated.request(epochs=6)).refusal())


@pytest.mark.parametrize(
    ("earlier", "refused"),
    [(None, False), ([], False), (["model.pt"], True)],
    ids=["no folder", "an empty folder", "somebody's training"],
)
def test_a_folder_that_no_comparison_made_is_left_alone(
    earlier: list[str] | None, refused: bool, tmp_path: Path
) -> None:
    if earlier is not None:
        (tmp_path / "unet").mkdir()
        for name in earlier:
            (tmp_path / "unet" / name).write_text("")
    refusal = TrainingFolder(tmp_path / "unet", fabricated.request()).refusal()
    assert (refusal is not None and "is not from a comparison" in refusal) == refused


def test_measured_epochs_are_remembered(tmp_path: Path) -> None:
    request: Request = fabricated.request(epochs=None, minutes=3)
    folder = TrainingFolder(tmp_path / "unet", request)
    assert folder.epochs is None
    folder.epochs = 17
    assert TrainingFolder(tmp_path / "unet", request).epochs == 17
    assert TrainingFolder(tmp_path / "other", fabricated.request(epochs=4)).epochs == 4


@pytest.mark.parametrize("name", ["result.json", "steps.json"])
@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"request": 1}',
        '{"request": {}, "result": 1, "steps": 1}',
        '{"request": {}, "result": {}, "steps": {}, "epochs": "9"}',
        '{"request": {}, "result": {}, "steps": {}, "epochs": 0}',
    ],
    ids=lambda text: text[:30],
)
def test_a_record_of_something_else_is_refused(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(BundleError, match=r"is no record of a comparison: .*; pass another --output"):
        TrainingFolder(tmp_path, fabricated.request()).refusal()


def test_a_run_of_other_code_is_not_resumed(tmp_path: Path) -> None:
    TrainingFolder(tmp_path, fabricated.request(), code_sha256="a").keep_result({})
    assert TrainingFolder(tmp_path, fabricated.request(), code_sha256="a").refusal() is None
    for code in ("b", None):
        refusal = TrainingFolder(tmp_path, fabricated.request(), code_sha256=code).refusal()
        assert "the configs or the code of its bundle were others" in str(refusal)


def test_usage_with_other_entries_is_refused(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path, fabricated.request())
    request = folder.request.as_json()
    (tmp_path / "steps.json").write_text(json.dumps({"request": request, "steps": {"training": {"a": 1}}}))
    with pytest.raises(BundleError, match=r"steps\.json is no record of a comparison"):
        folder.usage()
