"""What a user calls a data set to prepare: a name of the registry, a folder that was fetched, or any folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cellseg_monai.data.fetching import describe, fetch_data_set
from cellseg_monai.data.fetching.provenance import SOURCE_NAME, fetched_name
from cellseg_monai.data.registry import find_data_set, load_registry
from cellseg_monai.errors import DatasetError

__all__ = ["RawData", "find_raw_data"]


@dataclass(frozen=True)
class RawData:
    """A raw folder.

    Args:
        folder: where its layout begins.
        layout: which that is, if the registry says so.
        source_file: what says where it comes from; None where that lies in the folder, or nowhere.
        terms: what the user should know of a data set of the registry; empty for others.
    """

    folder: Path
    layout: str | None = None
    source_file: Path | None = None
    terms: str = ""


def find_raw_data(source: str, *, progress: bool = False) -> RawData:
    """The raw folder of a data set; one of the registry is fetched if it is not there.

    Args:
        source: a folder, or a name of the registry.
        progress: show a bar while fetching.

    Raises:
        DatasetError: it is neither.
        FetchError: it could not be fetched; likewise `ArchiveError`, `FileExistsError`, see `fetch_data_set`.
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
    inner = folder / data_set.folder  # in an archive of another version it may be called otherwise
    return RawData(inner if inner.is_dir() else folder, data_set.layout, folder / SOURCE_NAME, describe(data_set))
