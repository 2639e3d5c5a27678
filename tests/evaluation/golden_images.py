"""Small label images made by arithmetic; `golden_tables.json` contains the scores of the original programs for them.

Between them: gapped ids, cells cut by the border, a field without background, IoU of exactly a threshold, splits and
merges, missed and false cells. Every image has true and predicted objects: empty ones, the originals treat otherwise.
"""

import numpy as np

__all__ = ["PAIRS", "dense"]

# For each cell: centre, radius, offset of the prediction, how much smaller the prediction is, and the true id.
_CELLS = (
    (6, 7, 5, 0, 0, 0, 3),
    (5, 22, 4, 1, 0, 0, 4),
    (7, 38, 6, 0, 2, 1, 9),
    (1, 54, 5, 0, 0, 1, 70),
    (20, 10, 6, 2, 1, 0, 71),
    (21, 26, 5, 0, 0, 2, 72),
    (24, 41, 6, 3, 3, 0, 200),
    (23, 57, 5, 0, 1, 0, 201),
    (37, 6, 6, 0, 0, 3, 900),
    (38, 22, 5, 4, 0, 0, 901),
    (47, 40, 6, 1, 1, 0, 65_000),
    (40, 58, 4, 0, 0, 0, 65_535),
)


def _discs(cells: tuple[tuple[int, ...], ...]) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[:48, :64]
    prediction: np.ndarray = np.zeros((48, 64), np.int32)
    truth: np.ndarray = np.zeros((48, 64), np.int32)
    for number, (y, x, radius, down, right, smaller, label) in enumerate(cells):
        truth[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = label
        moved = (rows - y - down) ** 2 + (columns - x - right) ** 2
        prediction[moved < (radius - smaller) ** 2] = 7 + 11 * number
    return prediction, truth


def _cells_that_are_split_merged_and_missed() -> tuple[np.ndarray, np.ndarray]:
    prediction, truth = _discs(_CELLS[:9])
    prediction[(truth == 3) & (np.indices(truth.shape)[1] < 8)] = 500  # split
    prediction[(truth == 71) | (truth == 72)] = 501  # merged
    prediction[truth == 200] = 0  # missed
    prediction[40:44, 40:50] = 502  # false
    return prediction, truth


def _a_tissue_without_background() -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[:24, :40]
    truth = 1 + (rows // 8) * 5 + columns // 8
    prediction = 1 + ((rows + 1) // 8) * 6 + (columns + 2) // 8
    return prediction.astype(np.int32), truth.astype(np.int32)


def _iou_of_exactly_a_threshold() -> tuple[np.ndarray, np.ndarray]:
    """Bars of 20 pixels and predictions of 10 to 20 of these: an IoU of 0.50, 0.55, ... 1."""
    prediction: np.ndarray = np.zeros((22, 24), np.int32)
    truth: np.ndarray = np.zeros((22, 24), np.int32)
    for row, length in enumerate(range(10, 21)):
        truth[2 * row, 2:22] = 2 * row + 5
        prediction[2 * row, 2 : 2 + length] = 100 - 3 * row
    return prediction, truth


PAIRS = {
    "discs": _discs(_CELLS),
    "split, merged, missed": _cells_that_are_split_merged_and_missed(),
    "tissue": _a_tissue_without_background(),
    "exactly": _iou_of_exactly_a_threshold(),
}
"""Pairs of prediction and truth, YX int32, by their names."""


def dense(labels: np.ndarray) -> np.ndarray:
    """Renumber objects from 1 to n, which some of the original programs need."""
    ids, positions = np.unique(labels, return_inverse=True)
    return (positions.reshape(labels.shape) + (ids[0] != 0)).astype(np.int32)
