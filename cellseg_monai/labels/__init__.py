"""Label images: training targets, outlines and measurements of objects, without torch."""

from cellseg_monai.labels.boundaries import touching_boundaries
from cellseg_monai.labels.crops import Crop, ObjectBoxes, crops_of_whole_objects, object_boxes
from cellseg_monai.labels.measure import measure_objects
from cellseg_monai.labels.object_classes import (
    UNKNOWN,
    check_class_names,
    class_image,
    classes_of_pixels,
    no_classes,
)
from cellseg_monai.labels.object_table import ObjectTable, join_tables
from cellseg_monai.labels.outlines import draw_outlines, inner_outlines, paint_classes, paint_outlines
from cellseg_monai.labels.palette import class_colours
from cellseg_monai.labels.polygons import Polygon, draw_polygons, object_polygons, trace_polygons
from cellseg_monai.labels.relabel import relabel_sequential
from cellseg_monai.labels.targets import (
    boundary_classes,
    distance_target,
    foreground_and_boundary,
    foreground_target,
)
from cellseg_monai.labels.typical_objects import objects_are_dark, typical_diameter_px

__all__ = [
    "UNKNOWN",
    "Crop",
    "ObjectBoxes",
    "ObjectTable",
    "Polygon",
    "boundary_classes",
    "check_class_names",
    "class_colours",
    "class_image",
    "classes_of_pixels",
    "crops_of_whole_objects",
    "distance_target",
    "draw_outlines",
    "draw_polygons",
    "foreground_and_boundary",
    "foreground_target",
    "inner_outlines",
    "join_tables",
    "measure_objects",
    "no_classes",
    "object_boxes",
    "object_polygons",
    "objects_are_dark",
    "paint_classes",
    "paint_outlines",
    "relabel_sequential",
    "touching_boundaries",
    "trace_polygons",
    "typical_diameter_px",
]
