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
BLOCK = 2**16  # what comes is written in blocks of this size


@pytest.fixture
def url(server) -> str:
    server.files["cells.zip"] = CONTENT
    return server.url("cells.zip")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_comes_whole_and_alone(url: str, tmp_path: Path) -> None:
    assert download(url, tmp_path / "a.zip", sha256=SHA256, n_bytes=len(CONTENT)) == SHA256
    assert (tmp_path / "a.zip").read_bytes() == CONTENT
    assert names(tmp_path) == ["a.zip"]


def test_a_file_that_is_there_is_not_asked_for_again(server, url: str, tmp_path: Path) -> None:
    download(url, tmp_path / "a.zip", sha256=SHA256)
    assert download(url, tmp_path / "a.zip", sha256=SHA256) == SHA256
    assert len(server.asked) == 1


def test_broken_off_it_says_how_far_it_came_and_the_next_call_goes_on(server, url: str, tmp_path: Path) -> None:
    server.breaks["cells.zip"] = [4 * BLOCK]
    with pytest.raises(
        FetchError, match=r"broke off after 262,144 of 1,024,000 bytes; they are kept in .*a\.zip\.part"
    ):
        download(url, tmp_path / "a.zip", sha256=SHA256, retries=0)
    assert names(tmp_path) == ["a.zip.part", "a.zip.part.json"]
    assert download(url, tmp_path / "a.zip", sha256=SHA256, retries=0) == SHA256
    assert server.asked[-1] == ("cells.zip", "bytes=262144-")
    assert names(tmp_path) == ["a.zip"]


def test_broken_off_it_goes_on_by_itself(server, url: str, tmp_path: Path) -> None:
    server.breaks["cells.zip"] = [8 * BLOCK]
    assert download(url, tmp_path / "a.zip") == SHA256
    assert [wanted for _, wanted in server.asked] == [None, "bytes=524288-"]


def test_a_server_without_ranges_is_begun_anew(server, url: str, tmp_path: Path) -> None:
    server.ranges, server.breaks["cells.zip"] = False, [4 * BLOCK]
    with pytest.raises(FetchError, match="broke off"):
        download(url, tmp_path / "a.zip", retries=0)
    assert download(url, tmp_path / "a.zip") == SHA256


@pytest.mark.parametrize("validators", [True, False], ids=["it says so", "it does not say so"])
def test_parts_of_two_versions_are_never_joined(server, url: str, tmp_path: Path, validators: bool) -> None:
    server.validators, server.breaks["cells.zip"] = validators, [4 * BLOCK]
    with pytest.raises(FetchError, match="broke off"):
        download(url, tmp_path / "a.zip", retries=0)
    server.files["cells.zip"] = CONTENT[::-1] + b"longer"
    assert download(url, tmp_path / "a.zip") == hashlib.sha256(CONTENT[::-1] + b"longer").hexdigest()


def test_parts_of_two_addresses_are_never_joined(server, url: str, tmp_path: Path) -> None:
    server.breaks["cells.zip"] = [4 * BLOCK]
    with pytest.raises(FetchError, match="broke off"):
        download(url, tmp_path / "a.zip", retries=0)
    server.files["mirror.zip"] = CONTENT[::-1]
    assert download(server.url("mirror.zip"), tmp_path / "a.zip") == hashlib.sha256(CONTENT[::-1]).hexdigest()
    assert server.asked[-1] == ("mirror.zip", None)


def test_killed_before_the_last_rename_nothing_is_downloaded_twice(server, url: str, tmp_path: Path) -> None:
    server.breaks["cells.zip"] = [8 * BLOCK]
    with pytest.raises(FetchError, match="broke off"):
        download(url, tmp_path / "a.zip", retries=0)
    with open(tmp_path / "a.zip.part", "ab") as part:
        part.write(CONTENT[8 * BLOCK :])
    assert download(url, tmp_path / "a.zip", sha256=SHA256) == SHA256
    assert server.asked[-1][1] == f"bytes={len(CONTENT)}-"


def test_a_file_of_no_stated_length_comes_too(server, url: str, tmp_path: Path) -> None:
    server.lengths = False
    assert download(url, tmp_path / "a.zip", sha256=SHA256) == SHA256


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (404, r"404 .*it has moved or gone: look at http://page, and pass --url"),
        (401, r"401 .*without an account: download it by hand from http://page, and pass --url FILE"),
        (503, r"503 .*call again later"),
        (400, r"400 .*pass --url with another address"),
    ],
)
def test_another_answer_says_what_to_do(server, url: str, tmp_path: Path, status: int, remedy: str) -> None:
    server.answers["cells.zip"] = status
    with pytest.raises(FetchError, match=remedy) as caught:
        download(url, tmp_path / "a.zip", page="http://page")
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == []


def test_another_checksum_is_refused_and_deleted(url: str, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=f"SHA-256 {SHA256} came, expected {'0' * 64}; it was deleted. Call again"):
        download(url, tmp_path / "a.zip", sha256="0" * 64)
    assert names(tmp_path) == []


def test_another_size_is_refused_before_it_comes(url: str, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="1,024,000 bytes were offered, expected 5; "):
        download(url, tmp_path / "a.zip", n_bytes=5)
    assert names(tmp_path) == []


def test_a_web_page_is_no_file(server, url: str, tmp_path: Path) -> None:
    server.page = True
    with pytest.raises(FetchError, match=r"a web page came, expected the file a\.zip"):
        download(url, tmp_path / "a.zip")
    assert names(tmp_path) == []


def test_a_server_that_is_not_there(server, url: str, tmp_path: Path) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(FetchError, match=r"no connection to 127\.0\.0\.1:\d+ .*is there a network\?.*--url FILE"):
        download(url, tmp_path / "a.zip")
    assert names(tmp_path) == []


def test_no_room_is_said_and_what_came_is_gone_on_with(server, url: str, tmp_path: Path) -> None:
    # A process that may write no file beyond 400,000 bytes: the nearest to a full disk that needs no administrator.
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
    assert "make room, or pass --output on another disk" in last
    assert (tmp_path / "a.zip.part").stat().st_size == 400_000
    assert download(url, tmp_path / "a.zip", sha256=SHA256) == SHA256
    assert server.asked[-1][1] == "bytes=400000-"
