"""What the commands may write: no command replaces a file, or spoils a folder, of which it is not sure.

One rule holds for all commands: a file that exists is never replaced, except by the command that wrote it, where its
documentation says so. `segment` has its own checks, because it can resume a run; see `inference.RunFolder`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cellseg_monai.json_text import parse_json
from cellseg_monai.text_file import open_text, read_text

__all__ = ["check_apart", "check_folder", "check_new", "check_page"]

_GENERATOR = '<meta name="generator" content="cellseg_monai '


def check_folder(output: str) -> None:
    """Check, before any work is done, that the output folder is not a file.

    Raises:
        ValueError: there is a file at this path.
    """
    if Path(output).exists() and not Path(output).is_dir():
        raise ValueError(f"--output {output} is a file, not a folder; choose another --output")


def check_new(files: Iterable[Path]) -> None:
    """Refuse to replace files.

    Raises:
        FileExistsError: one of them exists, even as a link to nothing.
    """
    for file in files:
        if file.exists() or file.is_symlink():
            raise FileExistsError(
                f"{file} already exists, and would be replaced; choose another --output, or move the file"
            )


def check_apart(output: str | Path, **folders: str | Path | None) -> None:
    """Refuse an output in a folder of images or labels, which the next command would take for one of them.

    Args:
        output: file or folder to write.
        folders: the folders by what they hold, such as `truth`; None if there is none.

    Raises:
        ValueError: the output is one of the folders, or lies in it.
    """
    for what, folder in folders.items():
        if folder is not None and Path(output).resolve().is_relative_to(Path(folder).resolve()):
            raise ValueError(f"--output {output} lies in the folder with the {what}, {folder}; choose another --output")


def check_page(page: Path, numbers: str | None = None) -> None:
    """Refuse to replace anything but a page of the same kind, together with its numbers.

    Args:
        page: the HTML page to write.
        numbers: a key in the numbers that are written next to the page as JSON, which only this kind of page has; None
            if none are written.

    Raises:
        FileExistsError: the page or its numbers exist, and were not written as such.
    """
    json_file = page.with_suffix(".json")
    if numbers is None:
        if not (_is_ours(page) and not json_file.exists()):
            check_new([page])
    elif not (_is_ours(page) and _has_key(json_file, numbers)):
        check_new([page, json_file])


def _is_ours(page: Path) -> bool:
    """Return True for an HTML page that a command wrote."""
    try:
        with open_text(page) as file:
            return _GENERATOR in file.read(1000)
    except (OSError, ValueError):
        return False


def _has_key(path: Path, key: str) -> bool:
    try:
        content = parse_json(read_text(path))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and key in content
