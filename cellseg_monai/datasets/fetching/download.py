"""One file over HTTP: resumed where it broke off, checked, and there whole or not at all.

pooch checks, names and moves what comes. Its own downloader begins anew whenever a connection breaks, which with
gigabytes may never end; `ResumingDownloader` takes its place, as pooch provides for.
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
"""For the connection, and between two blocks."""


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
    """Download a file, unless it is there with the right checksum already.

    Args:
        url: its address.
        path: where it shall lie. What has come of it lies beside it with `.part` until all has.
        sha256: its checksum, if known.
        n_bytes: its size, if known.
        page: where a person can look when the address has changed.
        retries: how often it goes on by itself after the connection broke off in the middle.
        progress: show a bar on a terminal.

    Returns:
        The SHA-256 of the file.

    Raises:
        FetchError: no connection, one that broke off, another answer than the file, no room, or another checksum. What
            had come is kept for the next call if it can be gone on with, and deleted if not.
    """
    import pooch  # slow to import, and many callers find everything fetched

    downloader = ResumingDownloader(path, n_bytes=n_bytes, page=page, retries=retries, progress=progress)
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)  # what pooch says beside it belongs to people who program with it
    try:
        pooch.retrieve(url, sha256 or None, fname=path.name, path=path.parent, downloader=downloader)
        return pooch.file_hash(path)
    except ValueError as error:
        came = re.search("but got ([0-9a-f]{64})", str(error))
        raise FetchError(
            f"{url}: a file with the SHA-256 {came[1] if came else '?'} came, expected {sha256}; it was deleted. Call "
            "again, in case it was damaged on the way; if the same comes again, it was replaced at its source: look "
            f"at {page or 'its page'}, and pass --accept_changed if that is meant"
        ) from error
    finally:
        logger.setLevel(level)


class ResumingDownloader:
    """A downloader for pooch that goes on where an earlier call broke off.

    What comes is written to `<path>.part`; `<path>.part.json` has where it came from and how the server calls this
    version, so that parts of two different files are never joined.

    Args:
        path: where the file will lie.
        n_bytes: its size, if known.
        page: where a person can look when the address has changed.
        retries: how often it goes on by itself after the connection broke off in the middle.
        progress: show a bar on a terminal.
    """

    def __init__(
        self, path: Path, *, n_bytes: int = 0, page: str = "", retries: int = 3, progress: bool = False
    ) -> None:
        self.part = path.with_name(f"{path.name}.part")
        self.origin = path.with_name(f"{path.name}.part.json")
        self.n_bytes, self.page, self.retries, self.progress = n_bytes, page, retries, progress

    def __call__(self, url: str, output_file: str, pooch: object, check_only: bool = False) -> None:
        """Download `url` to `output_file`, by way of the part.

        Raises:
            FetchError: see `download`.
        """
        retries = self.retries
        while True:
            before = self._size()
            try:
                self._go_on(url)
                break
            except _BrokenOffError as error:
                if retries == 0 or self._size() <= before:
                    raise self._broken_off(url, error) from error
                retries -= 1
                time.sleep(1)
        os.replace(self.part, output_file)
        self.origin.unlink(missing_ok=True)

    def _go_on(self, url: str) -> None:
        """Ask for what is missing of the file, and append it."""
        import requests

        origin = self._origin(url)
        here = self._size() if origin else 0
        # Compressed on the way, lengths and places would not be those of the file.
        headers = {"User-Agent": f"cellseg_monai/{__version__}", "Accept-Encoding": "identity"}
        if here:
            headers["Range"] = f"bytes={here}-"
            if origin["version"]:
                headers["If-Range"] = origin["version"]
        try:
            with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_S) as response:
                if response.status_code in (206, 416) and not _continues(response, origin, here):
                    again = True
                elif response.status_code == 416:  # killed when all had come, but before it was renamed
                    again = False
                elif response.status_code in (200, 206):
                    again = False
                    self._receive(url, response, here if response.status_code == 206 else 0)
                else:
                    raise self._answered(url, response)
        except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError) as error:
            raise _BrokenOffError(str(error)) from error
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
            if self._size() > here:
                raise _BrokenOffError(str(error)) from error
            raise self._no_connection(url, error) from error
        except requests.exceptions.RequestException as error:
            raise FetchError(f"{url}: {error}; look at {self.page or 'its page'}, or pass --url") from error
        if again:  # it has become another file; without a part, no range is asked for
            self._forget()
            self._go_on(url)

    def _receive(self, url: str, response: requests.Response, here: int) -> None:
        """Write the body of an answer to the part, from its byte `here` on."""
        from tqdm import tqdm

        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise FetchError(
                f"{url}: a web page came, expected the file {self.part.name.removesuffix('.part')}; look at "
                f"{self.page or 'its page'}, and pass --url with another address or a file"
            )
        length = response.headers.get("Content-Length", "")
        plain = response.headers.get("Content-Encoding", "identity") == "identity"
        total = here + int(length) if length.isdigit() and plain else None
        if self.n_bytes and total not in (None, self.n_bytes):
            raise FetchError(
                f"{url}: {total:,} bytes were offered, expected {self.n_bytes:,}; the file was replaced at its source, "
                f"or something else came: look at {self.page or 'its page'}, and pass --accept_changed if that is meant"
            )
        free = shutil.disk_usage(self.part.parent).free
        if total and total - here > free:
            raise FetchError(
                f"{self.part.parent}: {free / 1e9:.1f} GB are free, but {(total - here) / 1e9:.1f} GB of {url} are "
                "still to come; make room, or pass --output on another disk"
            )
        if here == 0:
            self._forget()
            version = response.headers.get("ETag", "")
            version = response.headers.get("Last-Modified", "") if version.startswith("W/") or not version else version
            with replacing(self.origin) as aside:
                aside.write_text(json.dumps({"url": url, "version": version, "total": total}), encoding="utf-8")
        name = self.part.name.removesuffix(".part")
        hidden = None if self.progress else True  # None: shown on a terminal alone
        try:
            with (
                open(self.part, "ab") as file,
                tqdm(total=total, initial=here, unit="B", unit_scale=True, desc=name, disable=hidden) as bar,
            ):
                for block in response.iter_content(_BLOCK):
                    file.write(block)
                    bar.update(len(block))
        except OSError as error:
            if error.errno is None:  # of requests: about the connection, not the disk
                raise
            raise FetchError(
                f"{self.part}: {os.strerror(error.errno)} after {self._size():,} bytes of {url}; make room, or pass "
                "--output on another disk. What came is kept, and the same command goes on"
            ) from error
        if total is not None and self._size() < total:
            raise _BrokenOffError("the connection was closed")

    def _origin(self, url: str) -> dict[str, Any]:
        """Where the part came from; empty if there is none that can be gone on with."""
        try:
            origin = json.loads(self.origin.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return origin if origin.get("url") == url and origin.get("total") is not None and self._size() else {}

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.origin.unlink(missing_ok=True)

    def _broken_off(self, url: str, error: _BrokenOffError) -> FetchError:
        origin = self._origin(url)
        if not origin:
            return FetchError(f"{url}: broke off ({error}), and what came of it cannot be gone on with; call again")
        return FetchError(
            f"{url}: broke off after {self._size():,} of {origin['total']:,} bytes; they are kept in {self.part}, and "
            "the same command goes on from there"
        )

    def _no_connection(self, url: str, error: Exception) -> FetchError:
        reason = re.search(r"(\[Errno -?\d+\] [^'\")]+|[Tt]imed out)", str(error))
        kept = f"; the {self._size():,} bytes that came earlier are kept" if self._size() else ""
        return FetchError(
            f"{url}: no connection to {urlsplit(url).netloc} ({reason[1] if reason else type(error).__name__}){kept}; "
            "is there a network? Without one, download it elsewhere and pass --url FILE"
        )

    def _answered(self, url: str, response: requests.Response) -> FetchError:
        """The error for an answer that is not the file."""
        status = response.status_code
        page = self.page or "its page"
        if status in (401, 403):
            remedy = (
                f"it is not given to programs without an account: download it by hand from {page}, and pass --url FILE"
            )
        elif status in (404, 410):
            remedy = f"it has moved or gone: look at {page}, and pass --url with its new address or a file"
        elif status == 429 or status >= 500:
            remedy = "the server is busy or out of order: call again later"
        else:
            remedy = f"look at {page}, and pass --url with another address or a file"
        return FetchError(f"{url}: the server answered {status} {response.reason}, expected the file; {remedy}")


def _continues(response: requests.Response, origin: dict[str, Any], here: int) -> bool:
    """Is an answer to a range what was asked for: the same file from byte `here` on, or no more of it?"""
    stated = response.headers.get("Content-Range", "")
    if response.status_code == 416:
        return stated in ("", f"bytes */{here}") and here == origin["total"]
    place = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", stated)
    return place is not None and int(place[1]) == here and int(place[2]) == origin["total"]
