"""Scouting: what an image shows and how large its objects are, from a glance at a few small views."""

from cellseg_monai.scouting.kinds import KINDS, NONE, Kind
from cellseg_monai.scouting.scout import Scout
from cellseg_monai.scouting.sighting import OUTPUTS, Sighting, sighting_of
from cellseg_monai.scouting.views import SIDE_PX, View, views_of

__all__ = ["KINDS", "NONE", "OUTPUTS", "SIDE_PX", "Kind", "Scout", "Sighting", "View", "sighting_of", "views_of"]
