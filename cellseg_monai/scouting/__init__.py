"""Scouting: what an image shows and how large its objects are, from a glance at a few small views."""

from cellseg_monai.scouting.certainty import INTERVAL, Certainty, Known, fitted_certainty
from cellseg_monai.scouting.doubts import doubts_about, is_unsure_of_size
from cellseg_monai.scouting.kinds import KINDS, NONE, Kind
from cellseg_monai.scouting.look import Look, json_of_looks, look_of, write_looks
from cellseg_monai.scouting.scout import Scout
from cellseg_monai.scouting.sighting import OUTPUTS, Sighting, agreed, looked_at, sighting_of
from cellseg_monai.scouting.views import SIDE_PX, View, views_of

__all__ = [
    "INTERVAL",
    "KINDS",
    "NONE",
    "OUTPUTS",
    "SIDE_PX",
    "Certainty",
    "Kind",
    "Known",
    "Look",
    "Scout",
    "Sighting",
    "View",
    "agreed",
    "doubts_about",
    "fitted_certainty",
    "is_unsure_of_size",
    "json_of_looks",
    "look_of",
    "looked_at",
    "sighting_of",
    "views_of",
    "write_looks",
]
