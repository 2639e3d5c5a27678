"""Write the lists of images on which the shipped weights are trained, from the public data sets that hold them.

    python scripts/training_lists.py DATA OUTPUT

DATA holds one folder for each data set. OUTPUT gets `nuclei.json`, `nuclei_tissue.json`, `cells_phase.json` and
`scout.json`, which `--datalist` takes. The tag `dataset` says how images are weighted against each other, and the tag
`kind` what they show. For the scout, photographs that come with scikit-image are added.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import skimage

from cellseg_monai.data import Datalist, Item, write_datalist
from cellseg_monai.data.datalist import gather
from cellseg_monai.data.index_file import INDEX_NAME
from cellseg_monai.data.tags import Tags
from cellseg_monai.faults import dataset_error
from cellseg_monai.scouting import NONE

DSB = "dsb2018_stage1_train"
STAINED = "stained"

Kind = Callable[[str, dict[str, str]], str | None]
"""A function that takes a data set and a row of its index, and returns the tag `dataset`, or None to leave it out."""

PHOTOGRAPHS = {
    "training": (
        "astronaut", "brick", "camera", "clock_motion", "coffee", "coins", "color", "grass", "horse", "moon",
        "motorcycle_left", "page", "phantom", "rocket", "hubble_deep_field",
    ),
    "validation": ("chelsea", "gravel", "text", "motorcycle_right", "chessboard_RGB"),
}  # fmt: skip
"""Names of pictures in `skimage.data` that show no cells; all are in the public domain or CC0."""


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


def scout_list(data: Path) -> Datalist:
    """Return all images with the tag `kind`, and photographs."""
    joined: Datalist = {}
    for name, (datasets, dataset_of) in LISTS.items():
        for section, items in training_list(data, datasets, dataset_of).items():
            for item in items:
                dataset = str(item["tags"]["dataset"])
                if name != "nuclei" or dataset != STAINED:
                    joined.setdefault(section, []).append(
                        {**item, "tags": {**item["tags"], "kind": _kind(name, dataset)}}
                    )
    folder = Path(skimage.__file__).parent / "data"
    for section, names in PHOTOGRAPHS.items():
        for photograph in names:
            (path,) = folder.glob(f"{photograph}.*")
            tags: Tags = {"dataset": "photographs", "kind": NONE}
            joined[section].append({"image": str(path), "group": f"photographs/{photograph}", "tags": tags})
    return joined


def _kind(name: str, dataset: str) -> str:
    if name == "cells_phase":
        return "phase_cells" if dataset == "usiigaci_t98g_phase" else "dic_cells"
    return {"nuclei": "fluorescence_nuclei", "nuclei_tissue": "stained_nuclei"}[name]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, output = Path(sys.argv[1]), Path(sys.argv[2])
    output.mkdir(parents=True, exist_ok=True)
    lists = {name: training_list(source, *selection) for name, selection in LISTS.items()}
    for name, datalist in {**lists, "scout": scout_list(source)}.items():
        write_datalist(output / f"{name}.json", datalist)
        print(name, {section: len(items) for section, items in datalist.items()})
