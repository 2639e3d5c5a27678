"""Small archives, and lists of the files unpacked from them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path


def zipped(members: dict[str, bytes]) -> bytes:
    """Return a zip with these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tree(folder: Path) -> list[str]:
    """Return the paths of all files in a folder and below, sorted."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
