"""One file over HTTP: resumed after a broken connection, checked, and complete or absent.

pooch checks, names and moves the file. Its own downloader starts again whenever a connection breaks, so a download of
gigabytes may never finish. `ResumingDownloader` replaces it, through pooch's own interface.
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

if TYPE_CHECKING:
    import requests

__all__ = ["ResumingDownloader", "download"]

_BLOCK = 2**16

_TIMEOUT_S = (30, 60)
"""Timeouts for the connection, and between two blocks."""


class _BrokenOffError(Exception):
    """The connection ended before the file did."""


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
        url: address of the file.
        path: path to download to. An incomplete download is kept next to it, with the suffix `.part`.
        sha256: checksum of the file; empty if unknown.
        n_bytes: size of the file; 0 if unknown.
        page: web page to consult if the address has changed.
        retries: number of times that the download resumes by itself after the connection broke.
        progress: True to show a progress bar on a terminal.

    Returns:
        The SHA-256 of the file.

    Raises:
        FetchError: there is no connection, it broke, the server answered with something else, the disk is full, or the
            checksum differs. The part that was downloaded is kept for the next call if it can be resumed, and deleted
            otherwise.
    """
    import pooch  # slow to import, and not needed if everything is already fetched

    downloader = ResumingDownloader(path, n_bytes=n_bytes, page=page, retries=retries, progress=progress)
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)  # pooch's information is meant for programmers
    try:
        pooch.retrieve(url, sha256 or None, fname=path.name, path=path.parent, downloader=downloader)
        return pooch.file_hash(path)
    except ValueError as error:
        actual = re.search("but got ([0-9a-f]{64})", str(error))
        raise FetchError(
            f"{url}: got a file with the SHA-256 {actual[1] if actual else '?'}, expected {sha256}; it was deleted. "
            "Call again in case it was damaged on the way. If the checksum is the same again, the file was replaced at "
            f"its source: look at {page or 'its page'}, and pass --accept_changed if the new file is intended"
        ) from error
    finally:
        logger.setLevel(level)


class ResumingDownloader:
    """A downloader for pooch that resumes an earlier call.

    The data are written to `<path>.part`. `<path>.part.json` records their address and the server's name for this
    version of the file, so that parts of two different files are never joined.

    Args:
        path: path to download to.
        n_bytes: size of the file; 0 if unknown.
        page: web page to consult if the address has changed.
        retries: number of times that the download resumes by itself after the connection broke.
        progress: True to show a progress bar on a terminal.
    """

    def __init__(
        self, path: Path, *, n_bytes: int = 0, page: str = "", retries: int = 3, progress: bool = False
    ) -> None:
        self.part = path.with_name(f"{path.name}.part")
        self.origin = path.with_name(f"{path.name}.part.json")
        self.n_bytes, self.page, self.retries, self.progress = n_bytes, page, retries, progress

    def __call__(self, url: str, output_file: str, pooch: object, check_only: bool = False) -> None:
        """Download `url` to the part, and move it to `output_file` when it is complete.

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
        """Request the missing part of the file, and append it."""
        import requests

        origin = self._origin(url)
        start = self._size() if origin else 0
        # With compression in transit, lengths and positions would not be those of the file.
        headers = {"User-Agent": f"cellseg_monai/{__version__}", "Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
            if origin["version"]:
                headers["If-Range"] = origin["version"]
        try:
            with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response:
                if response.status_code in (206, 416) and not _continues(response, origin, start):
                    has_changed = True
                elif response.status_code == 416:  # killed when the part was complete, but not renamed yet
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
            raise FetchError(f"{url}: {error}; look at {self.page or 'its page'}, or pass --url") from error
        if has_changed:  # begin again; without a part, the whole file is requested
            self._delete_part()
            self._resume(url)

    def _receive(self, url: str, response: requests.Response, start: int) -> None:
        """Write the body of a response to the part, from byte `start` on."""
        from tqdm import tqdm

        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise FetchError(
                f"{url}: got a web page, expected the file {self.part.name.removesuffix('.part')}; look at "
                f"{self.page or 'its page'}, and pass --url with another address or a file"
            )
        length = response.headers.get("Content-Length", "")
        is_plain = response.headers.get("Content-Encoding", "identity") == "identity"
        total = start + int(length) if length.isdigit() and is_plain else None
        if self.n_bytes and total not in (None, self.n_bytes):
            raise FetchError(
                f"{url}: got {total:,} bytes, expected {self.n_bytes:,}; the file was replaced at its source, or this "
                f"is another file: look at {self.page or 'its page'}, and pass --accept_changed if it is intended"
            )
        free = shutil.disk_usage(self.part.parent).free
        if total and total - start > free:
            raise FetchError(
                f"{self.part.parent}: {free / 1e9:.1f} GB are free, but {(total - start) / 1e9:.1f} GB of {url} are "
                "missing; free some space, or pass --output on another disk"
            )
        if start == 0:
            self._delete_part()
            version = response.headers.get("ETag", "")
            version = response.headers.get("Last-Modified", "") if version.startswith("W/") or not version else version
            with replacing(self.origin) as aside:
                aside.write_text(json.dumps({"url": url, "version": version, "total": total}), encoding="utf-8")
        name = self.part.name.removesuffix(".part")
        hidden = None if self.progress else True  # None: shown only on a terminal
        try:
            with (
                open(self.part, "ab") as file,
                tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=name, disable=hidden) as bar,
            ):
                for block in response.iter_content(_BLOCK):
                    file.write(block)
                    bar.update(len(block))
        except OSError as error:
            if error.errno is None:  # an error of requests, about the connection and not the disk
                raise
            raise FetchError(
                f"{self.part}: {os.strerror(error.errno)} after {self._size():,} bytes of {url}; free some space, or "
                "pass --output on another disk. The downloaded part is kept, and the same command resumes it"
            ) from error
        if total is not None and self._size() < total:
            raise _BrokenOffError("the connection was closed")

    def _origin(self, url: str) -> dict[str, Any]:
        """The record of the part's origin; empty if there is no part that can be resumed."""
        try:
            origin = json.loads(self.origin.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return origin if origin.get("url") == url and origin.get("total") is not None and self._size() else {}

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _delete_part(self) -> None:
        self.part.unlink(missing_ok=True)
        self.origin.unlink(missing_ok=True)

    def _interrupted(self, url: str, error: _BrokenOffError) -> FetchError:
        origin = self._origin(url)
        if not origin:
            return FetchError(f"{url}: interrupted ({error}), and the server cannot resume; call again to start anew")
        return FetchError(
            f"{url}: interrupted after {self._size():,} of {origin['total']:,} bytes; they are kept in {self.part}, "
            "and the same command resumes from there"
        )

    def _no_connection(self, url: str, error: Exception) -> FetchError:
        reason = re.search(r"(\[Errno -?\d+\] [^'\")]+|[Tt]imed out)", str(error))
        kept = f"; the {self._size():,} bytes from earlier are kept" if self._size() else ""
        return FetchError(
            f"{url}: no connection to {urlsplit(url).netloc} ({reason[1] if reason else type(error).__name__}){kept}; "
            "check the network, or download the file elsewhere and pass --url FILE"
        )

    def _wrong_answer(self, url: str, response: requests.Response) -> FetchError:
        """The error for a response that is not the file."""
        status = response.status_code
        page = self.page or "its page"
        if status in (401, 403):
            remedy = f"programs need an account: download the file by hand from {page}, and pass --url FILE"
        elif status in (404, 410):
            remedy = f"the file was moved or removed: look at {page}, and pass --url with its new address or a file"
        elif status == 429 or status >= 500:
            remedy = "the server is busy or out of order: call again later"
        else:
            remedy = f"look at {page}, and pass --url with another address or a file"
        return FetchError(f"{url}: the server answered {status} {response.reason}, expected the file; {remedy}")


def _continues(response: requests.Response, origin: dict[str, Any], start: int) -> bool:
    """True if the response continues the same file from byte `start` on, or says that nothing is missing."""
    content_range = response.headers.get("Content-Range", "")
    if response.status_code == 416:
        return content_range in ("", f"bytes */{start}") and start == origin["total"]
    place = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", content_range)
    return place is not None and int(place[1]) == start and int(place[2]) == origin["total"]
