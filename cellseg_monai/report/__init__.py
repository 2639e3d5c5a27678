"""HTML reports on evaluations, segmentation runs and data sets, made without torch and MONAI."""

from cellseg_monai.report.data_page import write_dataset
from cellseg_monai.report.label_report import LabelReport, write_report
from cellseg_monai.report.learning_curve import CurvePoint, curve_answer, curve_files, write_curve
from cellseg_monai.report.quality_report import QualityReport, write_quality_report

__all__ = [
    "CurvePoint",
    "LabelReport",
    "QualityReport",
    "curve_answer",
    "curve_files",
    "write_curve",
    "write_dataset",
    "write_quality_report",
    "write_report",
]
