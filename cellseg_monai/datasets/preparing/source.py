"""What a user calls a data set to prepare: a name of the registry, a folder that was fetched, or any folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cellseg_monai.datasets.fetching import describe, fetch_data_set
from cellseg_monai.datasets.fetching.provenance import SOURCE_NAME, fetched_name
from cellseg_monai.datasets.preparing.raw_folder import subfolders
from cellseg_monai.datasets.registry import DataSet, find_data_set, load_registry
from cellseg_monai.errors import DatasetError

__all__ = ["RawData", "find_raw_data"]

_NAMED = 10  # of what is there instead


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
        DatasetError: it is neither, or the folder is not there in which the layout of a fetched one begins.
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
    return RawData(_layout_folder(folder, data_set), data_set.layout, folder / SOURCE_NAME, describe(data_set))


def _layout_folder(folder: Path, data_set: DataSet) -> Path:
    """Where the layout begins; in an archive of another version folders may be called otherwise, if they are alone."""
    inner = folder
    for name in PurePosixPath(data_set.folder).parts:
        there = subfolders(inner)
        if inner / name not in there and len(there) != 1:
            names = ", ".join(sorted(path.name for path in inner.iterdir())[:_NAMED])
            raise DatasetError(
                f"{folder}: {data_set.name} was expected in {data_set.folder}/ in it, but there is no {name}/ in "
                f"{inner}, only: {names}; fetch it again, or pass the folder in which it begins, with "
                f"--layout {data_set.layout}"
            )
        inner = inner / name if inner / name in there else there[0]
    return inner
