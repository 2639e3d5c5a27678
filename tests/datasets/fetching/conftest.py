"""A server on this machine that serves files, and fails like real servers."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class FileServer(ThreadingHTTPServer):
    """A server of `files` that records the requested ranges.

    Attributes:
        files: content by path.
        breaks: by path, numbers of bytes after which the connection is closed; each request uses up one.
        answers: status other than 200 by path.
        ranges: True if ranges are supported.
        asked: path and Range of every request.
        validators: True if responses have an ETag.
        lengths: True if responses have a Content-Length.
        page: True if web pages are sent instead of the files.
        before_answer: function that is called with the path of every request.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.breaks: dict[str, list[int]] = {}
        self.answers: dict[str, int] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.ranges = self.validators = True
        self.lengths = True
        self.page = False
        self.before_answer: Callable[[str], None] = lambda _: None

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def do_GET(self) -> None:
        path = self.path.lstrip("/")
        wanted = self.headers.get("Range")
        self.server.asked.append((path, wanted))
        self.server.before_answer(path)
        status = self.server.answers.get(path, 200 if path in self.server.files else 404)
        if status != 200:
            self.send_error(status)
            return
        content, start = self.server.files[path], 0
        tag = f'"{hashlib.md5(content).hexdigest()}"'
        if wanted and self.server.ranges and self.headers.get("If-Range", tag) == tag:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Type", "text/html" if self.server.page else "application/octet-stream")
        if self.server.lengths:
            self.send_header("Content-Length", str(len(content) - start))
        if self.server.validators:
            self.send_header("ETag", tag)
        self.end_headers()
        breaks = self.server.breaks.get(path, [])
        n_bytes = breaks.pop(0) if breaks else len(content)
        self.wfile.write(content[start : start + n_bytes])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """The server, in a thread of its own."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running = FileServer()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()
