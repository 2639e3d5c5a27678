"""Bundles trained, evaluated and compared under equal conditions: the work of `cellseg compare`."""

from cellseg_monai.comparison.comparison import Comparison, compare
from cellseg_monai.comparison.costs import Costs, network_costs
from cellseg_monai.comparison.result import Result, Score

__all__ = ["Comparison", "Costs", "Result", "Score", "compare", "network_costs"]
