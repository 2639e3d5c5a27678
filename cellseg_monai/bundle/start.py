"""The weights from which a training run starts."""

from __future__ import annotations

from pathlib import Path

from cellseg_monai.bundle.find import find_checkpoint
from cellseg_monai.bundle.locate import find_bundle
from cellseg_monai.bundle_name import is_bundle_path
from cellseg_monai.errors import CheckpointError

__all__ = ["find_start"]


def find_start(start_from: str | None) -> str | None:
    """Return the path of the weights that `start_from` in a `train.json` names.

    Args:
        start_from: path of a `model.pt` or `last.pt`; name, folder or zip of a bundle, whose weights are then used; or
            None for random numbers.

    Raises:
        BundleError: there is no bundle of this name.
        CheckpointError: there is no file or bundle at this path, or the bundle has no weights.

    >>> Path(find_start("nuclei")).parts[-3:]
    ('nuclei', 'models', 'model.pt')
    """
    if start_from is None:
        return None
    path = Path(start_from)
    if is_bundle_path(start_from) and path.suffix != ".zip" and not (path / "configs").is_dir():
        if not path.is_file():
            raise CheckpointError(
                f"--start_from: no file or bundle at {path}; pass the path of a model.pt, or the name or folder of a "
                "bundle"
            )
        return str(path)
    root = find_bundle(start_from)
    return find_checkpoint(str(root / "output"), str(root))
