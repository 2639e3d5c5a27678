"""Loading the classes of cells, and assigning classes to the objects that were found."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, cast

import numpy as np
import torch
from monai.transforms import Transform

from cellseg_monai.data import Item, cell_classes
from cellseg_monai.errors import DatasetError
from cellseg_monai.heads import Head
from cellseg_monai.labels import UNKNOWN, class_image, measure_objects, no_classes
from cellseg_monai.one_line import lines
from cellseg_monai.pixels import rescale_labels

__all__ = ["ClassifyObjectsd", "LoadClassesd"]


class LoadClassesd(Transform):
    """Load the classes of the cells in an image; see `data.cell_classes`.

    Put this transform directly after `LoadMicroscopyd`, before any crop. It replaces `classes` by an N×2 int64 tensor:
    the ids of the cells whose class is known, and the numbers of their classes. `class_names` is removed.

    Args:
        head: the head, which names the classes, and the tag with the class of all cells in an item without `classes`.
            If it predicts no classes of cells, all are unknown, and their files are not read.
        label_key: key of the label image, 1×Y×X ids.

    Raises:
        DatasetError: raised on a call if a class is wrong. `data.check_classes` finds all wrong classes beforehand.
    """

    def __init__(self, head: Head, *, label_key: str = "label") -> None:
        self.names = head.class_names
        self.tag = head.class_tag
        self.label_key = label_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with `classes` as a tensor."""
        item = dict(data)
        labels = np.asarray(item[self.label_key])[0]
        original = item.pop(f"{self.label_key}_ids", None)  # of a label image whose ids were renumbered
        source = cast("Item", dict(item))
        item.pop("class_names", None)
        in_file = labels if original is None else np.concatenate([[0], original])[labels]
        classes, faults = cell_classes(source, in_file, self.names, self.tag) if self.names else (no_classes(), [])
        if faults:
            raise DatasetError(lines(f"{source['classes']}: wrong classes", *(message for _, message in faults)))
        if original is not None:
            classes[:, 0] = np.searchsorted(original, classes[:, 0]) + 1
        item["classes"] = torch.from_numpy(classes)
        return item


class ClassifyObjectsd(Transform):
    """Assign the likeliest class to each object, and prepare predictions and ground truth for `metrics.ClassScore`.

    Put this transform after `LabelObjectsd` and `LoadClassesd`. The class of an object is determined as in inference,
    from the maps at the size of the image file. These values are added:

    - `classified`: 2×Y×X int64, the ids and the class numbers of the predicted objects;
    - `truly_classified`: 2×Y×X int64, the ids and the class numbers of the true objects; `UNKNOWN` where unknown.
    - `image_class`, `true_image_class`: 1 int64 each, the number of the likeliest class of the image, and of the true
      one; `UNKNOWN` if the head predicts no class of images, or the tag is unknown.

    Args:
        head: the head that the network was trained with.
        label_key: key of the true label image, 1×Y×X ids at the size of the image file.
    """

    def __init__(self, head: Head, *, label_key: str = "label") -> None:
        self.names = head.class_names
        self.tag_values = dict(head.tag_values)
        self.label_key = label_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the item with the classes of objects and image."""
        item = dict(data)
        objects = torch.as_tensor(item["objects"]).numpy(force=True)[0]
        truth = torch.as_tensor(item[self.label_key]).numpy(force=True)[0]
        known = torch.as_tensor(item["classes"]).numpy(force=True)
        item["classified"] = _with_classes(objects, self._found(objects, item["maps"]))
        item["truly_classified"] = _with_classes(truth, known)
        item["image_class"], item["true_image_class"] = self._image_class(item)
        return item

    def _found(self, objects: np.ndarray, maps: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the ids and the classes of the objects that were found."""
        shape = (int(objects.shape[0]), int(objects.shape[1]))
        classes = {f"class/{name}": rescale_labels(maps[f"class/{name}"], shape) for name in self.names}
        table = measure_objects(objects, maps=classes)
        if not table.classes:
            return np.zeros((0, 2), np.int64)
        return np.stack([table["id"].astype(np.int64), table.class_numbers], axis=1)

    def _image_class(self, item: Mapping[Hashable, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        for tag, names in self.tag_values.items():
            seen = int(np.argmax([item["maps"][f"image_class/{name}"].mean() for name in names]))
            value = item.get("tags", {}).get(tag, "")
            return torch.tensor([seen]), torch.tensor([names.index(value) if value in names else UNKNOWN])
        return torch.tensor([UNKNOWN]), torch.tensor([UNKNOWN])


def _with_classes(labels: np.ndarray, classes: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack([labels.astype(np.int64), class_image(labels, classes)]))
