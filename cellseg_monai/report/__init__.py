"""What came of trainings, for people to read: comparisons with their tables and figures."""

from cellseg_monai.report.comparison import Comparison, compare
from cellseg_monai.report.costs import Costs, network_costs
from cellseg_monai.report.result import Result, Score

__all__ = ["Comparison", "Costs", "Result", "Score", "compare", "network_costs"]
