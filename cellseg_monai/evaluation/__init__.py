"""Scoring label images from any program under named protocols, without torch.

Protocols reproduce the original definitions but not the bugs of the original programs. Where an original miscounts
(ids with gaps, no background, empty images), the counts here are correct, and docs/evaluation.md lists the difference.
Otherwise, scores are tested against tables produced by the original programs, if these exist as packages.

>>> import numpy as np
>>> protocol = find_protocol("stardist")
>>> images = [protocol.count(np.array([[4, 4, 0, 8]]), np.array([[2, 2, 2, 0]]))]  # prediction, truth
>>> round(protocol.results(images)["f1"].value, 4)
0.6667
"""

from cellseg_monai.evaluation.class_results import ClassEvaluation, format_classes, read_classes, write_classes
from cellseg_monai.evaluation.evaluated import EvaluatedImage, Evaluation
from cellseg_monai.evaluation.folders import evaluate_folders, evaluate_pairs
from cellseg_monai.evaluation.pairs import FilePair, pair_files
from cellseg_monai.evaluation.protocol import ImageCounts, Protocol, Score, ScoreResult
from cellseg_monai.evaluation.protocols import PROTOCOLS, find_protocol
from cellseg_monai.evaluation.results import (
    format_results,
    read_results,
    read_summary,
    result_files,
    summary,
    write_results,
)
from cellseg_monai.evaluation.trained import read_training

__all__ = [
    "PROTOCOLS",
    "ClassEvaluation",
    "EvaluatedImage",
    "Evaluation",
    "FilePair",
    "ImageCounts",
    "Protocol",
    "Score",
    "ScoreResult",
    "evaluate_folders",
    "evaluate_pairs",
    "find_protocol",
    "format_classes",
    "format_results",
    "pair_files",
    "read_classes",
    "read_results",
    "read_summary",
    "read_training",
    "result_files",
    "summary",
    "write_classes",
    "write_results",
]
