"""Training, evaluating and comparing bundles under equal conditions, for `cellseg compare`."""

from cellseg_monai.comparison.comparison import Comparison, compare
from cellseg_monai.comparison.costs import Costs, network_costs
from cellseg_monai.comparison.result import Result, Score

__all__ = ["Comparison", "Costs", "Result", "Score", "compare", "network_costs"]
