"""Finding the raw data to prepare, given a name from the registry, a fetched folder or any other folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cellseg_monai.datasets.fetching import describe, fetch_data_set
from cellseg_monai.datasets.fetching.provenance import SOURCE_NAME, fetched_name
from cellseg_monai.datasets.preparing.raw_folder import subfolders
from cellseg_monai.datasets.registry import DataSet, find_data_set, load_registry
from cellseg_monai.errors import DatasetError

__all__ = ["RawData", "find_raw_data"]

_MOST_NAMED = 10


@dataclass(frozen=True)
class RawData:
    """A raw folder, and what the registry says about it.

    Args:
        folder: root folder of the layout.
        layout: name of the layout; None if the data set is not in the registry.
        source_file: SOURCE.md of a data set from the registry; None for any other folder.
        terms: licence and other information for the user; empty if the data set is not in the registry.
    """

    folder: Path
    layout: str | None = None
    source_file: Path | None = None
    terms: str = ""


def find_raw_data(source: str, *, progress: bool = False) -> RawData:
    """Return the raw folder of a data set, fetching a registered data set if necessary.

    Args:
        source: a folder, or the name of a data set in the registry.
        progress: True to show a progress bar while fetching.

    Raises:
        DatasetError: the source is neither of the two, or a fetched data set lacks the root folder of its layout.
        FetchError: the data set cannot be fetched. `fetch_data_set` can also raise `ArchiveError` and
            `FileExistsError`.
    """
    folder = Path(source)
    registry = load_registry()
    if folder.is_dir():
        name = fetched_name(folder)
        if name not in registry:
            return RawData(folder)
        data_set = registry[name]
    else:
        try:
            data_set = find_data_set(source, registry)
        except DatasetError as error:
            raise DatasetError(f"{source}: no such folder, and {error}") from None
        folder = fetch_data_set(data_set, progress=progress).folder
    return RawData(_layout_folder(folder, data_set), data_set.layout, folder / SOURCE_NAME, describe(data_set))


def _layout_folder(folder: Path, data_set: DataSet) -> Path:
    """Return the root folder of the layout. Where a folder has only one subfolder, its name does not matter."""
    inner = folder
    for name in PurePosixPath(data_set.folder).parts:
        existing = subfolders(inner)
        if inner / name not in existing and len(existing) != 1:
            names = ", ".join(sorted(path.name for path in inner.iterdir())[:_MOST_NAMED])
            raise DatasetError(
                f"{folder}: expected {data_set.name} in the folder {data_set.folder}/, but {inner} has no {name}/, "
                f"only {names}; fetch the data set again, or pass the folder where its files are, with "
                f"--layout {data_set.layout}"
            )
        inner = inner / name if inner / name in existing else existing[0]
    return inner
