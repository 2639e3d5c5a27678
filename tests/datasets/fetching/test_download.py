from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from cellseg_monai.datasets.fetching.download import download
from cellseg_monai.errors import FetchError

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
BLOCK = 2**16  # the download is written in blocks of this size


@pytest.fixture
def url(server) -> str:
    server.files["cells.zip"] = CONTENT
    return server.url("cells.zip")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_downloaded_file_is_complete_and_leaves_no_other_files(url: str, tmp_path: Path) -> None:
    assert download(url, tmp_path / "a.zip", sha256=SHA256, n_bytes=len(CONTENT)) == SHA256
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert names(tmp_path) == ["a.zip"]


def test_an_existing_file_is_not_requested_again(server, url: str, tmp_path: Path) -> None:
    download(url, tmp_path / "a.zip", sha256=SHA256)
    assert download(url, tmp_path / "a.zip", sha256=SHA256) == SHA256
    assert len(server.asked) == 1


def test_an_interrupted_download_reports_its_progress_and_the_next_call_resumes(
    server, url: str, tmp_path: Path
) -> None:
    server.breaks["cells.zip"] = [4 * BLOCK]
    with pytest.raises(
        FetchError, match=r"interrupted after 262,144 of 1,024,000 bytes, which are kept in .*a\.zip\.part"
    ):
        download(url, tmp_path / "a.zip", sha256=SHA256, retries=0)
    assert names(tmp_path) == ["a.zip.part", "a.zip.part.json"]
    assert download(url, tmp_path / "a.zip", sha256=SHA256, retries=0) == SHA256
    assert server.asked[-1] == ("cells.zip", "bytes=262144-")
    assert names(tmp_path) == ["a.zip"]


def test_a_broken_connection_is_resumed_automatically(server, url: str, tmp_path: Path) -> None:
    server.breaks["cells.zip"] = [8 * BLOCK]
    assert download(url, tmp_path / "a.zip") == SHA256
    assert [wanted for _, wanted in server.asked] == [None, "bytes=524288-"]


def test_a_download_starts_again_if_the_server_has_no_ranges(server, url: str, tmp_path: Path) -> None:
    server.ranges, server.breaks["cells.zip"] = False, [4 * BLOCK]
    with pytest.raises(FetchError, match="interrupted"):
        download(url, tmp_path / "a.zip", retries=0)
    assert download(url, tmp_path / "a.zip") == SHA256


@pytest.mark.parametrize("validators", [True, False], ids=["it says so", "it does not say so"])
def test_parts_of_two_versions_are_never_joined(server, url: str, tmp_path: Path, validators: bool) -> None:
    server.validators, server.breaks["cells.zip"] = validators, [4 * BLOCK]
    with pytest.raises(FetchError, match="interrupted"):
        download(url, tmp_path / "a.zip", retries=0)
    server.files["cells.zip"] = CONTENT[::-1] + b"longer"
    assert download(url, tmp_path / "a.zip") == hashlib.sha256(CONTENT[::-1] + b"longer").hexdigest()


def test_parts_of_two_addresses_are_never_joined(server, url: str, tmp_path: Path) -> None:
    server.breaks["cells.zip"] = [4 * BLOCK]
    with pytest.raises(FetchError, match="interrupted"):
        download(url, tmp_path / "a.zip", retries=0)
    server.files["mirror.zip"] = CONTENT[::-1]
    assert download(server.url("mirror.zip"), tmp_path / "a.zip") == hashlib.sha256(CONTENT[::-1]).hexdigest()
    assert server.asked[-1] == ("mirror.zip", None)


def test_after_a_kill_before_the_last_rename_nothing_is_downloaded_twice(server, url: str, tmp_path: Path) -> None:
    server.breaks["cells.zip"] = [8 * BLOCK]
    with pytest.raises(FetchError, match="interrupted"):
        download(url, tmp_path / "a.zip", retries=0)
    with open(tmp_path / "a.zip.part", "ab") as part:
        part.write(CONTENT[8 * BLOCK :])
    assert download(url, tmp_path / "a.zip", sha256=SHA256) == SHA256
    assert server.asked[-1][1] == f"bytes={len(CONTENT)}-"


def test_a_file_without_a_stated_length_is_downloaded(server, url: str, tmp_path: Path) -> None:
    server.lengths = False
    assert download(url, tmp_path / "a.zip", sha256=SHA256) == SHA256


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (404, r"404 .*the file was moved or removed: see http://page, and pass its new URL .* with --url"),
        (401, r"401 .*the file requires a login: download it by hand from http://page, and pass it with --url FILE"),
        (503, r"503 .*try again later"),
        (400, r"400 .*pass another URL or a local file with --url"),
    ],
)
def test_another_status_is_reported_with_a_remedy(server, url: str, tmp_path: Path, status: int, remedy: str) -> None:
    server.answers["cells.zip"] = status
    with pytest.raises(FetchError, match=remedy) as caught:
        download(url, tmp_path / "a.zip", page="http://page")
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == []


def test_a_wrong_checksum_is_refused_and_the_file_deleted(url: str, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=f"SHA-256 {SHA256}, expected {'0' * 64}; the download was deleted. Try again"):
        download(url, tmp_path / "a.zip", sha256="0" * 64)
    assert names(tmp_path) == []


def test_a_wrong_size_is_refused_before_the_download(url: str, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="got 1,024,000 bytes, expected 5; "):
        download(url, tmp_path / "a.zip", n_bytes=5)
    assert names(tmp_path) == []


def test_a_web_page_is_refused(server, url: str, tmp_path: Path) -> None:
    server.page = True
    with pytest.raises(FetchError, match=r"got a web page, expected the file a\.zip"):
        download(url, tmp_path / "a.zip")
    assert names(tmp_path) == []


def test_a_missing_server_is_reported(server, url: str, tmp_path: Path) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(FetchError, match=r"cannot reach 127\.0\.0\.1:\d+ .*check the network, .*--url FILE"):
        download(url, tmp_path / "a.zip")
    assert names(tmp_path) == []


def test_a_full_disk_is_reported_and_the_download_resumes(server, url: str, tmp_path: Path) -> None:
    # A process that cannot write files beyond 400,000 bytes is the closest to a full disk without administrator rights.
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from cellseg_monai.datasets.fetching.download import download\n"
        "import pooch, requests, tqdm\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))\n"
        "download(sys.argv[1], Path(sys.argv[2]))"
    )
    words = [sys.executable, "-c", script, url, str(tmp_path / "a.zip")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert "FetchError" in last, done.stderr
    assert "free up some space and run the same command again to resume, or choose an --output on another disk" in last
    assert (tmp_path / "a.zip.part").stat().st_size == 400_000
    assert download(url, tmp_path / "a.zip", sha256=SHA256) == SHA256
    assert server.asked[-1][1] == "bytes=400000-"
