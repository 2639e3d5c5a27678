"""Where results go: nothing that lies there is lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cellseg_monai.inference.inputs import ImageFile
from cellseg_monai.io import EXPORTS

__all__ = ["check_targets"]


def check_targets(output: Path, images: Sequence[ImageFile], exports: Sequence[str], *, resume: bool = False) -> None:
    """Refuse an output in which results would replace something, before anything is done.

    Args:
        output: the folder for the results.
        images: all that will be segmented.
        exports: names of `io.EXPORTS`.
        resume: files of the results' names are those of the run that goes on.

    Raises:
        NotADirectoryError: the output is a file.
        FileExistsError: results would have the name of an image, or of a file that is there.
    """
    if output.exists() and not output.is_dir():
        raise NotADirectoryError(f"{output} is a file, but a folder was expected; name another --output")
    inputs = {image.path.resolve() for image in images}
    for target in _targets(output, images, exports):
        if target.resolve() in inputs:
            raise FileExistsError(f"{target} is an image, and results would replace it; choose another --output")
        if target.exists() and not resume:
            raise FileExistsError(
                f"{target} is there already, and results would replace it; choose another --output, or move it away"
            )


def _targets(output: Path, images: Sequence[ImageFile], exports: Sequence[str]) -> Iterator[Path]:
    for image in images:
        stem = output / image.key
        for name in exports:
            yield stem.with_name(f"{stem.name}{EXPORTS[name].suffix}")
