"""What came of trainings, what label images are worth, what data sets hold: comparisons and reports for people.

Names load on first use, so that reports need neither torch nor MONAI, which comparisons do.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellseg_monai.report.comparison import Comparison, compare
    from cellseg_monai.report.costs import Costs, network_costs
    from cellseg_monai.report.data_page import write_dataset
    from cellseg_monai.report.label_report import LabelReport, write_report
    from cellseg_monai.report.quality_report import QualityReport, write_quality_report
    from cellseg_monai.report.result import Result, Score

__all__ = [
    "Comparison",
    "Costs",
    "LabelReport",
    "QualityReport",
    "Result",
    "Score",
    "compare",
    "network_costs",
    "write_dataset",
    "write_quality_report",
    "write_report",
]

_HOMES = {
    "Comparison": "comparison",
    "Costs": "costs",
    "LabelReport": "label_report",
    "QualityReport": "quality_report",
    "Result": "result",
    "Score": "result",
    "compare": "comparison",
    "network_costs": "costs",
    "write_dataset": "data_page",
    "write_quality_report": "quality_report",
    "write_report": "label_report",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
