import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import peers
from benchmarks.measured_process import run_measured
from benchmarks.peers import installed_bytes

PROGRAM = Path(peers.__file__).parent / "peer_programs" / "watershed_peer.py"
RADIUS = 12


def discs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a noisy image of bright discs, two of which touch, and its labels."""
    y, x = np.mgrid[:96, :128]
    labels = np.zeros((96, 128), np.uint16)
    for number, (row, column) in enumerate([(24, 24), (24, 90), (70, 40), (70, 40 + 2 * RADIUS)], start=1):
        labels[(np.hypot(y - row, x - column) < RADIUS) & (labels == 0)] = number
    image = 500 + 900 * (labels > 0) + np.random.default_rng(seed).normal(0, 30, labels.shape)
    return image.astype(np.uint16), labels


def test_the_classical_program_learns_the_size_and_divides_what_touches(tmp_path: Path) -> None:
    for section in ("training", "validation", "test"):
        image, labels = discs(len(section))
        for part, pixels in (("images", image), ("labels", labels)):
            (tmp_path / section / part).mkdir(parents=True)
            tifffile.imwrite(tmp_path / section / part / "a.tif", pixels)
    command = [sys.executable, str(PROGRAM)]
    folders = [str(tmp_path / name) for name in ("training", "validation", "model")]
    run_measured([*command, "train", *folders, "--minutes", "1"], tmp_path / "train.log")
    images, output = str(tmp_path / "test" / "images"), str(tmp_path / "labels")
    measured = run_measured([*command, "predict", folders[-1], images, output], tmp_path / "predict.log")
    found = tifffile.imread(tmp_path / "labels" / "a.tif")
    truth = discs(len("test"))[1]
    assert len(np.unique(found[found > 0])) == 4
    assert ((found > 0) & (truth > 0)).sum() / ((found > 0) | (truth > 0)).sum() > 0.8
    assert measured.peak_mb > 20
    assert (tmp_path / "labels" / "speed.json").is_file()


def test_the_last_line_of_a_failed_command_is_the_reason(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import sys; print('first'); sys.exit('no wheel for this Python')"]
    with pytest.raises(RuntimeError, match=r"^no wheel for this Python$"):
        run_measured(command, tmp_path / "logs" / "install.log")


def test_the_size_of_an_install_includes_what_it_needs() -> None:
    assert installed_bytes("tifffile") > installed_bytes("numpy") > 10**6
    assert installed_bytes("a_package_that_nobody_installed") == 0


@given(
    st.from_regex(r"[A-Za-z][A-Za-z0-9._-]{0,8}", fullmatch=True),
    st.sampled_from(["", ">=2", " (>=2)", "[x]==1", "; a"]),
)
def test_a_requirement_begins_with_the_name_of_its_package(name: str, rest: str) -> None:
    assert peers._name_in(name + rest) == name
