from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from cellseg_monai.archives import Limits
from cellseg_monai.datasets.fetching import fetch_data_set
from cellseg_monai.datasets.registry import DataSet, RemoteFile
from cellseg_monai.errors import ArchiveError, ArchiveTooLargeError, FetchError
from tests.archived import tree, zipped


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


IMAGES = zipped({"images/a.tif": b"image" * 100_000, "metadata/training.txt": b"a"})
MASKS = zipped({"masks/a.png": b"mask", "metadata/test.txt": b"b"})


@pytest.fixture
def data_set(server) -> DataSet:
    """Two archives, one of them with a known checksum, and a file that is not an archive."""
    server.files |= {"images.zip": IMAGES, "masks.zip": MASKS, "notes.json": b"{}"}
    return DataSet(
        name="lab/cells",
        title="Cells",
        modality="bright field",
        size="1 image",
        licence="CC-BY-NC-4.0",
        licence_note="non-commercial",
        attribution="A Lab",
        citation=("A 2020, doi:10.1/1",),
        page="https://example.org",
        layout="rgba_labels",
        files=(
            RemoteFile(server.url("images.zip"), sha256=sha256(IMAGES), bytes=len(IMAGES)),
            RemoteFile(server.url("masks.zip")),
            RemoteFile(server.url("notes.json")),
        ),
    )


def one(data_set: DataSet, **changes: object) -> DataSet:
    """The data set with only its first file, changed."""
    return replace(data_set, files=(replace(data_set.files[0], **changes),))


WHOLE = [
    "SOURCE.md",
    "images/a.tif",
    "masks/a.png",
    "metadata/test.txt",
    "metadata/training.txt",
    "notes.json",
    "sha256.txt",
]


def test_a_data_set_is_fetched_with_its_provenance_and_nothing_else(data_set: DataSet, tmp_path: Path) -> None:
    done = fetch_data_set(data_set, tmp_path / "out")
    assert tree(tmp_path / "out") == WHOLE
    assert not (tmp_path / "out" / ".fetch-lab_cells").exists()
    assert [file.known for file in done.files] == [True, False, False]
    source = (tmp_path / "out" / "SOURCE.md").read_text()
    for words in (
        "# Cells",
        "CC-BY-NC-4.0 (non-commercial)",
        "A Lab",
        "doi:10.1/1",
        "have not been tested",
        sha256(MASKS),
    ):
        assert words in source
    assert data_set.files[1].url in source
    assert f"{sha256(MASKS)}  {data_set.files[1].url}\n" in (tmp_path / "out" / "sha256.txt").read_text()


def test_a_second_fetch_does_nothing(server, data_set: DataSet, tmp_path: Path) -> None:
    fetch_data_set(data_set, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert fetch_data_set(data_set, tmp_path).files == ()
    assert len(server.asked) == 3
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_after_a_failure_the_rest_is_fetched(server, data_set: DataSet, tmp_path: Path) -> None:
    server.answers["masks.zip"] = 404
    with pytest.raises(FetchError, match="404"):
        fetch_data_set(data_set, tmp_path)
    assert not (tmp_path / "images").exists()
    assert not (tmp_path / "SOURCE.md").exists()
    del server.answers["masks.zip"]
    done = fetch_data_set(data_set, tmp_path)
    assert tree(tmp_path) == WHOLE
    assert [path for path, _ in server.asked] == ["images.zip", "masks.zip", "masks.zip", "notes.json"]
    assert [file.sha256 for file in done.files] == [sha256(IMAGES), sha256(MASKS), sha256(b"{}")]


def test_after_a_kill_during_the_move_of_files_the_next_call_completes_it(
    server, data_set: DataSet, tmp_path: Path
) -> None:
    script = (
        "import os, sys; from pathlib import Path\n"
        "from cellseg_monai.datasets.fetching import fetch_data_set\n"
        "from cellseg_monai.datasets.registry import load_registry\n"
        "rename = os.rename\n"
        "def killed(a, b):\n"
        "    rename(a, b)\n"
        "    if Path(b).name == 'masks': os._exit(9)\n"
        "os.rename = killed\n"
        "(data_set,) = load_registry(sys.argv[1]).values()\n"
        "fetch_data_set(data_set, sys.argv[2])"
    )
    files = ", ".join(f'{{ url = "{file.url}" }}' for file in data_set.files)
    fields = ("title", "modality", "size", "licence", "attribution", "page", "layout")
    lines = ['["lab/cells"]', *[f'{name} = "{getattr(data_set, name)}"' for name in fields]]
    registry = tmp_path / "registry.toml"
    registry.write_text("\n".join([*lines, 'citation = ["A"]', f"files = [{files}]"]))
    words = [sys.executable, "-c", script, str(registry), str(tmp_path / "out")]
    assert subprocess.run(words, check=False).returncode == 9
    assert (tmp_path / "out" / "masks").is_dir()
    assert not (tmp_path / "out" / "SOURCE.md").exists()
    fetch_data_set(data_set, tmp_path / "out")
    assert tree(tmp_path / "out") == WHOLE
    assert len(server.asked) == 3


def test_two_calls_at_the_same_time_do_not_interfere(
    server, data_set: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, go_on = threading.Event(), threading.Event()

    def wait(_: str) -> None:
        held.set()
        go_on.wait(60)

    server.before_answer = wait
    with ThreadPoolExecutor() as pool:
        first = pool.submit(fetch_data_set, data_set, tmp_path / "out")
        assert held.wait(60)
        with pytest.raises(FileExistsError, match=r"out: another `cellseg data fetch` is writing to this folder"):
            fetch_data_set(data_set, tmp_path / "out")
        go_on.set()
        assert len(first.result(60).files) == 3
    assert tree(tmp_path / "out") == WHOLE
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [404, 503])
def test_a_failure_without_any_download_leaves_nothing(server, data_set: DataSet, tmp_path: Path, status: int) -> None:
    server.answers["images.zip"] = status
    with pytest.raises(FetchError, match=str(status)):
        fetch_data_set(data_set, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_recorded_checksum_is_checked_the_next_time(server, data_set: DataSet, tmp_path: Path) -> None:
    unknown = one(data_set, sha256="", bytes=0)
    fetch_data_set(unknown, tmp_path)
    for path in ("SOURCE.md", "images/a.tif", "metadata/training.txt"):
        (tmp_path / path).unlink()
    for path in ("images", "metadata"):
        (tmp_path / path).rmdir()
    server.files["images.zip"] = MASKS
    with pytest.raises(FetchError, match=f"{sha256(MASKS)}, expected {sha256(IMAGES)}; .*--accept_changed"):
        fetch_data_set(unknown, tmp_path)
    done = fetch_data_set(unknown, tmp_path, accept_changed=True)
    assert (done.files[0].sha256, done.files[0].known) == (sha256(MASKS), False)
    assert "masks/a.png" in tree(tmp_path)


def test_a_file_that_is_not_an_archive_is_deleted_so_that_another_source_can_be_tried(
    server, data_set: DataSet, tmp_path: Path
) -> None:
    server.files["images.zip"] = b"<html>log in"
    unknown = one(data_set, sha256="", bytes=0)
    with pytest.raises(
        ArchiveError, match=r"got a web page, .*has been deleted; see https://example\.org for another source"
    ):
        fetch_data_set(unknown, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    server.files["mirror/images.zip"] = IMAGES
    fetch_data_set(unknown, tmp_path / "out", url=server.url("mirror/images.zip"))
    assert "images/a.tif" in tree(tmp_path / "out")


def test_a_limit_can_be_raised_without_downloading_again(server, data_set: DataSet, tmp_path: Path) -> None:
    with pytest.raises(ArchiveTooLargeError, match="--max_files"):
        fetch_data_set(data_set, tmp_path, limits=Limits(files=1))
    fetch_data_set(data_set, tmp_path, limits=Limits(files=2))
    assert [path for path, _ in server.asked] == ["images.zip", "masks.zip", "notes.json"]


def test_a_full_disk_during_unpacking_is_reported_and_the_archive_is_kept(
    server, data_set: DataSet, tmp_path: Path
) -> None:
    (tmp_path / "images.zip").write_bytes(zipped({"images/a.tif": b"0" * 500_000}))
    script = (
        "import resource, sys; from cellseg_monai.datasets.fetching import fetch_data_set\n"
        "from cellseg_monai.datasets.registry import RemoteFile, load_registry; from dataclasses import replace\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))\n"
        "data_set = replace(load_registry()['bbbc038'], files=(RemoteFile('http://x/images.zip'),))\n"
        "fetch_data_set(data_set, sys.argv[1], url=sys.argv[2])"
    )
    words = [sys.executable, "-c", script, str(tmp_path / "out"), str(tmp_path / "images.zip")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert "FetchError" in last, done.stderr
    assert "while unpacking images.zip; free up some space" in last
    assert tree(tmp_path) == ["images.zip"]


def test_archives_inside_an_archive_are_unpacked_into_their_own_folders(
    server, data_set: DataSet, tmp_path: Path
) -> None:
    inner = {"x/flat.zip": zipped({"1.png": b"1"}), "x/named.zip": zipped({"named/1.png": b"2"}), "x/a.png": b"3"}
    inner["x/v1.2.zip"] = zipped({"1.png": b"4"})
    server.files["images.zip"] = zipped(inner)
    fetch_data_set(one(data_set, sha256="", bytes=0, nested=True), tmp_path)
    assert tree(tmp_path / "x") == ["a.png", "flat/1.png", "named/1.png", "v1.2/1.png"]
    server.files["images.zip"] = zipped({"x/bad.zip": zipped({"../1.png": b"1"})})
    with pytest.raises(ArchiveError, match="has a path outside"):
        fetch_data_set(one(data_set, sha256="", bytes=0, nested=True), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_files_can_come_from_this_disk_or_from_a_mirror(server, data_set: DataSet, tmp_path: Path) -> None:
    local = tmp_path / "local"
    local.mkdir()
    for name in ("images.zip", "masks.zip"):
        (local / name).write_bytes(server.files[name])
    with pytest.raises(FileNotFoundError, match=r"missing notes\.json; add"):
        fetch_data_set(data_set, tmp_path / "a", url=str(local))
    (local / "notes.json").write_bytes(b"{}")
    fetch_data_set(data_set, tmp_path / "a", url=str(local))
    fetch_data_set(data_set, tmp_path / "b", url=local.as_uri())
    assert tree(tmp_path / "a") == tree(tmp_path / "b") == WHOLE
    assert len(tree(local)) == 3
    assert server.asked == []
    server.files |= {f"mirror/{name}": content for name, content in list(server.files.items())}
    fetch_data_set(data_set, tmp_path / "c", url=server.url("mirror/"))
    assert tree(tmp_path / "c") == WHOLE
    with pytest.raises(
        ValueError, match=r"got one file, expected 3; pass a folder that contains images\.zip, masks\.zip, "
    ):
        fetch_data_set(data_set, tmp_path / "d", url=server.url("mirror/images.zip"))
    with pytest.raises(FileNotFoundError, match="nowhere: no such file or folder"):
        fetch_data_set(data_set, tmp_path / "d", url=str(tmp_path / "nowhere"))
    (local / "images.zip").write_bytes(MASKS)
    with pytest.raises(FetchError, match=f"got SHA-256 {sha256(MASKS)}, expected {sha256(IMAGES)}"):
        fetch_data_set(data_set, tmp_path / "d", url=str(local))
    assert not (tmp_path / "d").exists()


def test_a_folder_with_something_else_in_it_is_left_alone(data_set: DataSet, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is not an empty folder; pass another folder with --output"):
        fetch_data_set(data_set, tmp_path)
    assert tree(tmp_path) == ["mine.txt"]
    fetch_data_set(data_set, tmp_path / "out")
    with pytest.raises(FileExistsError, match="already contains lab/cells; pass another folder with --output"):
        fetch_data_set(replace(data_set, name="others"), tmp_path / "out")


def test_nothing_is_fetched_or_deleted_through_a_link(data_set: DataSet, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").touch()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".fetch-lab_cells").symlink_to(tmp_path / "mine")
    with pytest.raises(FileExistsError, match="pass another folder"):
        fetch_data_set(data_set, tmp_path / "out")
    assert tree(tmp_path / "mine") == ["a.txt"]


@pytest.mark.parametrize("complete", [False, True], ids=["before the end", "while cleaning up"])
def test_what_a_killed_call_left_half_written_is_removed(
    server, data_set: DataSet, tmp_path: Path, complete: bool
) -> None:
    folder = tmp_path / "cells"
    work = folder / ".fetch-lab_cells"
    if complete:
        fetch_data_set(data_set, folder)
    (work / "unpacked" / ".images.zip.0123abcd.part").mkdir(parents=True)
    left = [
        folder / ".SOURCE.md.0123456789ab.part",
        folder / ".sha256.txt.0123456789ab.part",
        work / ".images.zip.part.json.0123456789ab.part",
        work / "tmpabcdef",
        work / "unpacked" / ".images.zip.0123abcd.part" / "a.tif",
    ]
    for path in left:
        path.touch()
    fetch_data_set(data_set, folder)
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == WHOLE
