"""Write the lists of images on which the shipped weights are trained, from the public data sets that hold them.

    python scripts/training_lists.py DATA OUTPUT

DATA holds one folder for each data set. OUTPUT gets `nuclei.json`, `nuclei_tissue.json` and `cells_phase.json`, which
`--datalist` takes. The tag `dataset` says how images are weighted against each other.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from cellseg_monai.data import Datalist, Item, write_datalist
from cellseg_monai.data.datalist import gather
from cellseg_monai.data.index_file import INDEX_NAME
from cellseg_monai.faults import dataset_error

DSB = "dsb2018_stage1_train"
STAINED = "stained"

Kind = Callable[[str, dict[str, str]], str | None]
"""A function that takes a data set and a row of its index, and returns the tag `dataset`, or None to leave it out."""


def nuclei(dataset: str, row: dict[str, str]) -> str | None:
    """Nuclei in fluorescence, and a few in stained tissue and smears, shown inverted."""
    if dataset == DSB:
        return f"{DSB}/{row['cluster']}" if row["cluster"] in "af" else STAINED
    if dataset == "cellbindb_demo":
        return {"HE": STAINED, "mIF": None}.get(row["group"], dataset)
    return STAINED if dataset == "tnbc_he" else dataset


def tissue(dataset: str, row: dict[str, str]) -> str | None:
    """Nuclei in stained tissue and smears, in colour."""
    if dataset == DSB:
        return None if row["cluster"] in "af" else f"{DSB}/{row['cluster']}"
    if dataset == "cellbindb_demo":
        return dataset if row["group"] == "HE" else None
    return dataset


def cells(dataset: str, row: dict[str, str]) -> str | None:
    """Whole cells in phase contrast and DIC."""
    return dataset


LISTS: dict[str, tuple[tuple[str, ...], Kind]] = {
    "nuclei": (
        (
            "bbbc039", DSB, "bitdepth_nucseg_dapi", "mnfinder_nuclei", "sbsst265_neuroblastoma", "tnbc_he",
            "cellbindb_demo",
        ),
        nuclei,
    ),
    "nuclei_tissue": ((DSB, "tnbc_he", "cellbindb_demo"), tissue),
    "cells_phase": (("usiigaci_t98g_phase", "bbbc030_cho_dic", "bbbc009_rbc_dic"), cells),
}  # fmt: skip


def training_list(data: Path, datasets: Iterable[str], kind: Kind) -> Datalist:
    """Return the images of some data sets as one datalist, with the sections that the data sets declare."""
    joined: Datalist = {}
    for dataset in datasets:
        rows = _rows(data / dataset)
        gathered = gather(data / dataset)
        # The index of sbsst265_neuroblastoma groups images by preparation, across its split.
        straddling = [fault for fault in gathered.faults if fault.kind == "group-straddles"]
        if len(gathered.faults) > len(straddling):
            raise dataset_error(data / dataset, gathered.faults)
        for section, items in gathered.sections.items():
            for item in items:
                stem = Path(item["image"]).stem
                value = kind(dataset, rows[stem])
                if value is not None:
                    group = f"{dataset}/{stem if straddling else item['group']}"
                    tagged: Item = {**item, "group": group, "tags": {"dataset": value}}
                    joined.setdefault(section, []).append(tagged)
    return joined


def _rows(dataset: Path) -> dict[str, dict[str, str]]:
    """Return the rows of a data set's index by the stem of the image."""
    with open(dataset / INDEX_NAME, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    return {Path(row.get("image") or row["image_id"]).stem if "image" in row else row["image_id"]: row for row in rows}


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, output = Path(sys.argv[1]), Path(sys.argv[2])
    output.mkdir(parents=True, exist_ok=True)
    for name, (datasets, kind) in LISTS.items():
        datalist = training_list(source, datasets, kind)
        write_datalist(output / f"{name}.json", datalist)
        print(name, {section: len(items) for section, items in datalist.items()})
