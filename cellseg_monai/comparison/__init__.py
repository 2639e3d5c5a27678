"""Train, evaluate and compare bundles under equal conditions, as `cellseg compare` does."""

from cellseg_monai.comparison.comparison import Comparison, compare
from cellseg_monai.comparison.costs import Costs, network_costs
from cellseg_monai.comparison.result import Result, Score

__all__ = ["Comparison", "Costs", "Result", "Score", "compare", "network_costs"]
