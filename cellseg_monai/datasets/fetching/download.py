"""Downloading a single file over HTTP, resuming after broken connections and never leaving the target incomplete.

pooch checks, names and moves the file. However, pooch's own downloader starts from scratch whenever a connection
breaks, so a download of several gigabytes may never finish. `ResumingDownloader` replaces it through pooch's own
interface.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cellseg_monai._version import __version__
from cellseg_monai.atomic import replacing
from cellseg_monai.errors import FetchError
from cellseg_monai.json_text import parse_json
from cellseg_monai.text_file import read_text

if TYPE_CHECKING:
    import requests

__all__ = ["ResumingDownloader", "download"]

_BLOCK = 2**16

_TIMEOUT_S = (30, 60)
"""Timeouts for connecting to the server, and for waiting for the next block of data."""


class _BrokenOffError(Exception):
    """A connection that ended before the file was complete."""


def download(
    url: str,
    path: Path,
    *,
    sha256: str = "",
    n_bytes: int = 0,
    page: str = "",
    retries: int = 3,
    progress: bool = False,
) -> str:
    """Download a file, unless it already exists with the right checksum.

    Args:
        url: URL of the file.
        path: where to save the file. A partial download is kept next to it, with the suffix `.part`.
        sha256: expected SHA-256 of the file; empty if unknown.
        n_bytes: expected size of the file in bytes; 0 if unknown.
        page: web page to mention in error messages, in case the URL has changed.
        retries: number of times to resume after a broken connection.
        progress: True to show a progress bar on a terminal.

    Returns:
        The SHA-256 of the file.

    Raises:
        FetchError: the connection failed, the server did not send the expected file, the disk is full, or the checksum
            is wrong. A partial download is kept if the next call can resume it, and deleted otherwise.
    """
    import pooch  # slow to import, and not needed if the data set is already there

    downloader = ResumingDownloader(path, n_bytes=n_bytes, page=page, retries=retries, progress=progress)
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)  # pooch's info messages address programmers, not users
    try:
        pooch.retrieve(url, sha256 or None, fname=path.name, path=path.parent, downloader=downloader)
        return pooch.file_hash(path)
    except ValueError as error:
        actual = re.search("but got ([0-9a-f]{64})", str(error))
        raise FetchError(
            f"{url}: got SHA-256 {actual[1] if actual else '?'}, expected {sha256}; the download was deleted. Try "
            "again, in case the file was damaged in transit. If you get the same checksum again, the publisher has "
            f"replaced the file: see {page or 'the web page'}, and pass --accept_changed to use the new file"
        ) from error
    finally:
        logger.setLevel(level)


class ResumingDownloader:
    """A downloader for pooch that resumes partial downloads.

    Data are written to `<path>.part`. `<path>.part.json` records the URL and the server's tag for this version of the
    file, so that parts of different files are never joined.

    Args:
        path: where to save the file.
        n_bytes: expected size of the file in bytes; 0 if unknown.
        page: web page to mention in error messages, in case the URL has changed.
        retries: number of times to resume after a broken connection.
        progress: True to show a progress bar on a terminal.
    """

    def __init__(
        self, path: Path, *, n_bytes: int = 0, page: str = "", retries: int = 3, progress: bool = False
    ) -> None:
        self.part = path.with_name(f"{path.name}.part")
        self.origin = path.with_name(f"{path.name}.part.json")
        self.n_bytes, self.page, self.retries, self.progress = n_bytes, page, retries, progress

    def __call__(self, url: str, output_file: str, pooch: object, check_only: bool = False) -> None:
        """Download `url` to the `.part` file, and move this file to `output_file` once it is complete.

        Raises:
            FetchError: the file cannot be downloaded; see `download`.
        """
        retries = self.retries
        while True:
            before = self._size()
            try:
                self._resume(url)
                break
            except _BrokenOffError as error:
                if retries == 0 or self._size() <= before:
                    raise self._interrupted(url, error) from error
                retries -= 1
                time.sleep(1)
        os.replace(self.part, output_file)
        self.origin.unlink(missing_ok=True)

    def _resume(self, url: str) -> None:
        """Request the rest of the file, and append it to the `.part` file."""
        import requests

        origin = self._origin(url)
        start = self._size() if origin else 0
        # If the transfer were compressed, byte counts and offsets would not match the file.
        headers = {"User-Agent": f"cellseg_monai/{__version__}", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
            if origin["version"]:
                headers["If-Range"] = origin["version"]
        try:
            with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response:
                if response.status_code in (206, 416) and not _continues(response, origin, start):
                    has_changed = True
                elif response.status_code == 416:  # an earlier call was killed before it renamed the complete part
                    has_changed = False
                elif response.status_code in (200, 206):
                    has_changed = False
                    self._receive(url, response, start if response.status_code == 206 else 0)
                else:
                    raise self._wrong_answer(url, response)
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
            raise _BrokenOffError(str(error)) from error
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
            if self._size() > start:
                raise _BrokenOffError(str(error)) from error
            raise self._no_connection(url, error) from error
        except requests.exceptions.RequestException as error:
            raise FetchError(f"{url}: {error}; see {self.page or 'the web page'}, or pass another --url") from error
        if has_changed:  # start over: without a part, the whole file is requested
            self._delete_part()
            self._resume(url)

    def _receive(self, url: str, response: requests.Response, start: int) -> None:
        """Write the body of a response to the `.part` file, starting at byte `start`."""
        from tqdm import tqdm

        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise FetchError(
                f"{url}: got a web page, expected the file {self.part.name.removesuffix('.part')}; see "
                f"{self.page or 'the web page'}, and pass another URL or a local file with --url"
            )
        length = response.headers.get("Content-Length", "")
        is_plain = response.headers.get("Content-Encoding", "identity") == "identity"
        total = start + int(length) if length.isdigit() and is_plain else None
        if self.n_bytes and total not in (None, self.n_bytes):
            raise FetchError(
                f"{url}: got {total:,} bytes, expected {self.n_bytes:,}; the publisher has replaced the file, or the "
                f"URL is wrong: see {self.page or 'the web page'}, and pass --accept_changed to use this file anyway"
            )
        free = shutil.disk_usage(self.part.parent).free
        if total and total - start > free:
            raise FetchError(
                f"{self.part.parent}: only {free / 1e9:.1f} GB are free, but {(total - start) / 1e9:.1f} GB are needed "
                f"to download {url}; free up some space, or choose an --output on another disk"
            )
        if start == 0:
            self._delete_part()
            version = response.headers.get("ETag", "")
            version = response.headers.get("Last-Modified", "") if version.startswith("W/") or not version else version
            with replacing(self.origin) as aside:
                aside.write_text(json.dumps({"url": url, "version": version, "total": total}), encoding="utf-8")
        name = self.part.name.removesuffix(".part")
        hidden = None if self.progress else True  # tqdm treats None as "show only on a terminal"
        try:
            with (
                open(self.part, "ab") as file,
                tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=name, disable=hidden) as bar,
            ):
                for block in response.iter_content(_BLOCK):
                    file.write(block)
                    bar.update(len(block))
        except OSError as error:
            if error.errno is None:  # raised by requests: the connection failed, not the disk
                raise
            raise FetchError(
                f"{self.part}: {os.strerror(error.errno)} after {self._size():,} bytes of {url}; free up some space "
                "and run the same command again to resume, or choose an --output on another disk"
            ) from error
        if total is not None and self._size() < total:
            raise _BrokenOffError("the connection was closed")

    def _origin(self, url: str) -> dict[str, Any]:
        """Return the record of where the `.part` file came from; empty if there is nothing to resume."""
        try:
            origin = parse_json(read_text(self.origin))
        except (OSError, ValueError):
            return {}
        if not isinstance(origin, dict) or not isinstance(origin.get("version"), str):
            return {}
        return origin if origin.get("url") == url and isinstance(origin.get("total"), int) and self._size() else {}

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _delete_part(self) -> None:
        self.part.unlink(missing_ok=True)
        self.origin.unlink(missing_ok=True)

    def _interrupted(self, url: str, error: _BrokenOffError) -> FetchError:
        origin = self._origin(url)
        if not origin:
            return FetchError(
                f"{url}: the download was interrupted ({error}) and cannot be resumed; run the command again to restart"
            )
        return FetchError(
            f"{url}: the download was interrupted after {self._size():,} of {origin['total']:,} bytes, which are kept "
            f"in {self.part}; run the same command again to resume"
        )

    def _no_connection(self, url: str, error: Exception) -> FetchError:
        reason = re.search(r"(\[Errno -?\d+\] [^'\")]+|[Tt]imed out)", str(error))
        kept = f"; the {self._size():,} bytes downloaded so far are kept" if self._size() else ""
        return FetchError(
            f"{url}: cannot reach {urlsplit(url).netloc} ({reason[1] if reason else type(error).__name__}){kept}; "
            "check the network, or download the file elsewhere and pass it with --url FILE"
        )

    def _wrong_answer(self, url: str, response: requests.Response) -> FetchError:
        """Return the error for a response with an unexpected status."""
        status = response.status_code
        page = self.page or "the web page"
        if status in (401, 403):
            remedy = f"the file requires a login: download it by hand from {page}, and pass it with --url FILE"
        elif status in (404, 410):
            remedy = f"the file was moved or removed: see {page}, and pass its new URL or a local file with --url"
        elif status == 429 or status >= 500:
            remedy = "the server is overloaded or down: try again later"
        else:
            remedy = f"see {page}, and pass another URL or a local file with --url"
        return FetchError(f"{url}: got the answer {status} {response.reason}, expected the file; {remedy}")


def _continues(response: requests.Response, origin: dict[str, Any], start: int) -> bool:
    """Return True if the response continues the same file at byte `start`, or confirms that the file is complete."""
    content_range = response.headers.get("Content-Range", "")
    if response.status_code == 416:
        return content_range in ("", f"bytes */{start}") and start == origin["total"]
    place = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", content_range)
    return place is not None and int(place[1]) == start and int(place[2]) == origin["total"]
